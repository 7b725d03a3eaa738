"""Words for tests of the shield: a ledger that stands as it is told, and processes that keep markers for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seckill_sidecar.adapters.markers import Markers
from seckill_sidecar.clock import Deadline, ManualClock
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.gate.pipeline import RESERVED, Decided
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Standing
from seckill_sidecar.workers.shield import Shield

SOLD_OUT, CLOSED, NOT_OPEN = Verdict.SOLD_OUT, Verdict.CLOSED, Verdict.NOT_OPEN


@dataclass
class Ledger:
    """``ports.Standings``, as a test tells it."""

    clock: ManualClock
    stands: dict[str, Standing] = field(default_factory=dict)
    down: bool = False
    slow: float = 0.0
    """Seconds that an answer takes."""
    looked_at: list[str] = field(default_factory=list)

    def put(self, sku: str, gone: Verdict | None = None, opens_in: float = 0.0) -> None:
        """Let an item stand like this."""
        self.stands[sku] = Standing(sku, gone, opens_in)

    def items(self, deadline: Deadline) -> list[str]:
        self._answer()
        return sorted(self.stands)

    def of(self, skus: Sequence[str], deadline: Deadline) -> list[Standing]:
        self._answer()
        self.looked_at += skus
        return [self.stands.get(sku, Standing(sku)) for sku in skus]

    def close(self) -> None:
        """Nothing to give back."""

    def _answer(self) -> None:
        self.clock.advance(self.slow)
        if self.down:
            raise StoreDown("ledger", "it is down")


class Host:
    """One host: its folder of markers, and a ledger that all its processes look at."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.ledger = Ledger(self.clock)
        self.folder = folder / "shield"
        self.markers = Markers(self.folder, self.clock)

    def process(self, whole: bool = False, spares: Callable[[str], bool] = lambda _: False) -> Shield:
        """Another process of the sidecar; its steps are a test's to take."""
        return Shield(Markers(self.folder, self.clock), lambda: self.ledger, self.clock, whole, spares)

    def marked(self) -> dict[str, set[str]]:
        """The reasons for which nginx answers, by name."""
        return {name: set(marks) for name, marks in self.markers.marked().items()}


def decided(verdict: Verdict, item: str) -> Decided:
    """What the gate tells of a purchase that it decided by itself."""
    return Decided("buy", verdict, 0.001, item=item)


def said_by_ledger(verdict: Verdict, item: str, seconds: float = 0.001, available: int = 0) -> Decided:
    """What the gate tells of a purchase that came as far as the ledger."""
    moments = [0.0] * (RESERVED + 2)
    return Decided("buy", verdict, seconds, item=item, moments=moments, available=available)
