"""One purchase as one trace.

    nginx's span ─► purchase ─┬─ route, identify, reserve, hand_off    (the gate)
                              ├─ storefront                            (the plug; parent of the shop's own spans)
                              ├─ relay                                 (if it was the relay that delivered it)
                              └─ write, to the COMMIT                  (the writer)

Spans are made of facts, once they are over. No buyer is in them.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.hand_off import HandedOff
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers.tracing.sending import Sending
from seckill_sidecar.plugs.middleware import Asked
from seckill_sidecar.settings.schema import TracingSettings
from seckill_sidecar.wire.trace import is_sampled, span_id, trace_id, valid
from seckill_sidecar.workers.writer import Committed

_STAGES = {
    "route": SpanKind.INTERNAL,
    "identify": SpanKind.INTERNAL,
    "reserve": SpanKind.CLIENT,
    "hand_off": SpanKind.PRODUCER,
}
"""The stages that are spans of their own."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("seckill_sidecar")
_NO_FAULT = Status(StatusCode.UNSET)

Times = tuple[float, float]
"""Beginning and end, in Unix seconds."""


def begin(settings: TracingSettings, clock: Clock) -> Spans:
    """Spans to the collector that the settings name."""
    return Spans(Sending(str(settings.otlp), clock), settings.service, clock)


class Spans:
    """Tells of what is sampled; everything else is known by one look at its ``traceparent``."""

    def __init__(self, sending: Sending, service: str, clock: Clock) -> None:
        self._sending = sending
        self._resource = Resource({"service.name": service})
        self._clock = clock
        self._ids = RandomIdGenerator()

    def decided(self, fact: Decided) -> None:
        """The span of a purchase, and those of its stages."""
        trace = fact.trace
        if not trace.own:
            return
        start = fact.moments[0] + self._clock.wall() - self._clock.monotonic()
        own, caller = _context(trace.own), _context(trace.came, remote=True) if trace.came else None
        self._tell("purchase", own, caller, (start, start + fact.seconds), SpanKind.SERVER, _status(fact), _of(fact))
        for stage, seconds in fact.stages().items():
            if stage in _STAGES:
                self._tell(stage, self._new(own), own, (start, start + seconds), _STAGES[stage])
            start += seconds

    def asked(self, fact: Asked) -> None:
        """The span of asking the storefront."""
        trace, status = fact.trace, Status(StatusCode.ERROR, fact.fault) if fact.fault else _NO_FAULT
        if trace.storefront:
            own, purchase = _context(trace.storefront), _context(trace.own)
            self._tell("storefront", own, purchase, (fact.began, fact.ended), SpanKind.CLIENT, status)

    def handed_off(self, fact: HandedOff) -> None:
        """The span of the relay's delivery; the gate's own is a stage of the purchase."""
        if fact.by == "relay":
            self._follow("relay", fact.traceparent, (fact.began, fact.ended), SpanKind.PRODUCER)

    def committed(self, fact: Committed) -> None:
        """The span of writing, for each order of the batch."""
        for event in fact.events:
            self._follow("write", event.traceparent, (fact.began, fact.ended), SpanKind.CONSUMER)

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        self._sending.close()

    def _follow(self, name: str, traceparent: str, times: Times, kind: SpanKind) -> None:
        """A span in the trace of an event, if that is told of."""
        if traceparent and is_sampled(valid(traceparent)):
            parent = _context(traceparent, remote=True)
            self._tell(name, self._new(parent), parent, times, kind)

    def _tell(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        times: Times,
        kind: SpanKind,
        status: Status = _NO_FAULT,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        start, end = (int(moment * 1e9) for moment in times)
        span = ReadableSpan(
            name,
            context=own,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=status,
            start_time=start,
            end_time=end,
            instrumentation_scope=_SCOPE,
        )
        self._sending.send(span)

    def _new(self, parent: SpanContext) -> SpanContext:
        return SpanContext(parent.trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED)


def _context(traceparent: str, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id(traceparent), 16), int(span_id(traceparent), 16), remote, _SAMPLED)


def _status(fact: Decided) -> Status:
    return Status(StatusCode.ERROR, fact.reason) if fact.verdict is Verdict.UNAVAILABLE else _NO_FAULT


def _of(fact: Decided) -> dict[str, str]:
    named = {"verdict": fact.verdict.value, "route": fact.route, "item": fact.item, "order": fact.order_id}
    return {f"seckill.{name}": value for name, value in named.items() if value}
