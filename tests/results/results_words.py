"""Words for tests of how buyers hear of their orders: orders, and stores that tell what they are told to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from seckill_sidecar.clock import ManualClock, order_ids
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.gate.results.desk import Asker, Desk
from seckill_sidecar.gate.results.hub import Hub, Source, Waiter
from seckill_sidecar.gate.results.pace import Pace
from seckill_sidecar.gate.results.result import NOTHING, Result
from seckill_sidecar.model import Order, State
from seckill_sidecar.plugs.results.following import Follower, Patience
from seckill_sidecar.plugs.results.shown import Showing

_make_id = order_ids(ManualClock(), random.Random(7))
PATIENCE = Patience(heartbeat=15.0, unknown=3.0, longest=60.0)


def order(buyer: str = "ann", state: State = State.HELD) -> Order:
    """A new order, accepted at the manual clock's beginning and held for fifteen minutes."""
    return Order(_make_id("kettle"), "kettle", 1, 1, buyer, 1, state, 1_000_000_000, 1_000_900_000)


def asker(of: Order, bearer: bool = True, receipt: bool = False) -> Asker:
    """Who asks for this order, as its buyer."""
    return Asker(of.id, of.buyer, bearer, of if receipt else None)


@dataclass
class Store:
    """A database or a ledger: what it has, and what it was asked."""

    has: dict[str, Order] = field(default_factory=dict)
    asked: list[Sequence[str]] = field(default_factory=list)
    down: bool = False

    def put(self, *orders: Order) -> None:
        self.has |= {order.id: order for order in orders}

    def ask(self, order_ids: Sequence[str]) -> Iterable[Order]:
        self.asked.append(order_ids)
        if self.down:
            raise StoreDown("database", "it is down")
        return [self.has[order_id] for order_id in order_ids if order_id in self.has]

    def source(self, writes: bool = True) -> Source:
        return Source("store", self.ask, every=0.2, longest=0.6, writes=writes)

    def one(self, order_id: str) -> Order | None:
        return next(iter(self.ask([order_id])), None)


def hub_of(most: int = 100) -> Hub:
    """A hub that asks nobody by itself."""
    return Hub([], most, ManualClock())


class Timeless(Waiter):
    """A waiter whose waiting takes no time but the clock's; what happens in each wait is said beforehand."""

    def __init__(self, hub: Hub, order_id: str, clock: ManualClock, happens: Callable[[], object]) -> None:
        super().__init__(hub, order_id)
        self._clock = clock
        self._happens = happens

    def wait(self, seconds: float) -> Result:
        self._clock.advance(max(seconds, 0.001))
        self._happens()
        return super().wait(0)


@dataclass
class Scene:
    """One order and who follows it."""

    order: Order = field(default_factory=order)
    clock: ManualClock = field(default_factory=ManualClock)
    ledger: Store = field(default_factory=Store)
    database: Store = field(default_factory=Store)
    hub: Hub = field(default_factory=hub_of)
    sealed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pace = Pace(self.clock, lambda: 0.5)
        desk = Desk(self._find, self.database.one, self.clock, 3.0)
        self.follower = Follower(desk, self.hub, Showing(pace, self.clock), pace, self.clock, PATIENCE)

    def _find(self, order_id: str, seconds: float, final: bool) -> Order | None:
        del seconds
        found = self.ledger.one(order_id) or self.database.has.get(order_id)
        if final and found is None:
            self.sealed.append(order_id)
        return found

    def tell(self) -> None:
        """What ledger and database have is told to who waits."""
        self.hub.look(self.ledger.source(writes=False))
        self.hub.look(self.database.source())

    def waiter(self, happens: Callable[[], object] = lambda: None) -> Waiter:
        """A place for the order in which these things happen while it is waited for."""
        waiter = self.hub.join(self.order.id)
        timeless = Timeless(self.hub, self.order.id, self.clock, happens)
        timeless.event = waiter.event
        return timeless


__all__ = ["NOTHING", "Scene", "Store", "asker", "hub_of", "order"]
