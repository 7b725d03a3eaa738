"""Words for tests of spans: a collector that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from stack.scripted import Request, answering, reply

CALLER = "00f067aa0ba902b7"
"""The span of whoever asks: nginx's, say."""


@dataclass(frozen=True)
class Span:
    """One span, ids in hex."""

    name: str
    trace: str
    id: str
    parent: str
    start_ns: int
    end_ns: int
    service: str
    attributes: dict[str, str]
    failed: bool


@dataclass
class Collector:
    """A running collector, and its address."""

    url: str = ""
    _spans: list[Span] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: Request) -> bytes:
        """Answer one export."""
        assert request.path == "/v1/traces"
        told = ExportTraceServiceRequest.FromString(request.body)
        with self._lock:
            self._spans += spans_of(told)
        return reply(200, b"", "application/x-protobuf")

    def spans(self, trace: str) -> dict[str, Span]:
        """The spans of a trace, by name."""
        with self._lock:
            found = [span for span in self._spans if span.trace == trace]
        by_name = {span.name: span for span in found}
        assert len(by_name) == len(found), found
        return by_name

    def all(self) -> list[Span]:
        with self._lock:
            return list(self._spans)


def spans_of(told: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in told.resource_spans:
        service = {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    service,
                    {pair.key: pair.value.string_value for pair in span.attributes},
                    span.status.code == 2,
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, until the block ends."""
    collector = Collector()
    with answering(collector.take) as scripted:
        collector.url = "http://{}:{}".format(*scripted.address)
        yield collector
