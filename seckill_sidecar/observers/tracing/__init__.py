"""Facts as OpenTelemetry's spans. Its packages are an extra, and are imported only where they are used."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Protocol

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.hand_off import HandedOff
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.plugs.middleware import Asked
from seckill_sidecar.settings.schema import TracingSettings
from seckill_sidecar.workers.writer import Committed


class Tracing(Protocol):
    """Who is told the facts of one process."""

    def decided(self, fact: Decided) -> None:
        """The span of a purchase, and those of its stages."""

    def asked(self, fact: Asked) -> None:
        """The span of asking the storefront."""

    def handed_off(self, fact: HandedOff) -> None:
        """The span of the relay's delivery; the gate's own is a stage of the purchase."""

    def committed(self, fact: Committed) -> None:
        """The span of writing, for each order of the batch."""

    def close(self) -> None:
        """Send what is left, for some seconds at most."""


def begin_tracing(settings: TracingSettings, clock: Clock) -> Tracing:
    """Send spans from now on to the collector that the settings name. Call it after the last fork."""
    begin: Callable[[TracingSettings, Clock], Tracing]
    begin = importlib.import_module("seckill_sidecar.observers.tracing.spans").begin
    return begin(settings, clock)


def quiet_opentelemetry() -> None:
    """A collector that is down is told of by us, once, and not by each of its packages at each try."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
