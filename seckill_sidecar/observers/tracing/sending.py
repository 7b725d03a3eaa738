"""How spans reach the collector: from a bounded queue, in a thread of its own, and never at a purchase's expense."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from seckill_sidecar.clock import Clock

_log = logging.getLogger("seckill_sidecar.tracing")
_QUEUE = 2048
"""Spans that may wait; more are dropped."""
_BATCH = 512
_EVERY_MS = 1000
_EXPORT_SECONDS = 2.0
"""For one batch, with all its tries."""
_PARTING_SECONDS = 2.0
"""After which nothing more is begun at the end."""


class Sending:
    """A queue, and the thread that empties it."""

    def __init__(self, otlp: str, clock: Clock) -> None:
        """``otlp`` is the collector's address."""
        self._exporter = _Exporter(otlp, clock)
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=_QUEUE, schedule_delay_millis=_EVERY_MS, max_export_batch_size=_BATCH
        )

    def send(self, span: ReadableSpan) -> None:
        """Take in one span; returns at once."""
        self._processor.on_end(span)

    def close(self) -> None:
        """Send what is left. Takes some four seconds at most, if the collector does not answer."""
        self._exporter.part()
        self._processor.shutdown()  # type: ignore[no-untyped-call]


class _Exporter(SpanExporter):
    """OpenTelemetry's own, with an end, and a voice that says once what is wrong."""

    def __init__(self, otlp: str, clock: Clock) -> None:
        self._otlp = otlp
        self._clock = clock
        self._inner = OTLPSpanExporter(endpoint=f"{otlp.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        self._ends_at = float("inf")
        self._fails = False

    def part(self) -> None:
        """Begin no more after some seconds."""
        self._ends_at = self._clock.monotonic() + _PARTING_SECONDS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._clock.monotonic() >= self._ends_at:
            return SpanExportResult.FAILURE
        result = self._inner.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            _log.warning("the collector at %s takes no spans; they are dropped until it does", self._otlp)
        elif self._fails and not fails:
            _log.info("the collector at %s takes spans again", self._otlp)
        self._fails = fails
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]
