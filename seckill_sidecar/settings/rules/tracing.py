"""Where spans go, and what it takes to send them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules.rule import rule
from seckill_sidecar.settings.schema import Settings


@rule()
def spans_go_to_a_collector(settings: Settings) -> Iterator[Finding]:
    otlp = settings.tracing.otlp
    if otlp is None:
        return
    if not _is_address(otlp):
        yield Finding(("tracing", "otlp"), "is no address of a collector; write http://127.0.0.1:4318, or https://…")
    elif not _can_send():
        what = "needs an extra package: pip install 'seckill-sidecar[tracing]'; or leave tracing.otlp out"
        yield Finding(("tracing", "otlp"), what)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        sane = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return sane and url.isprintable() and " " not in url and not (parts.query or parts.fragment or "@" in parts.netloc)


def _can_send() -> bool:
    try:
        return (
            find_spec("opentelemetry.sdk") is not None
            and find_spec("opentelemetry.exporter.otlp.proto.http") is not None
        )
    except ImportError:
        return False
