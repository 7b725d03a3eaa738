"""Words for tests of the ledger: open a sale, buy, settle, and look at the keys behind the adapter's back."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seckill_sidecar.adapters.ledger import Keys, LedgerRules, Line, RedisLedger
from seckill_sidecar.clock import Deadline, ManualClock, SystemClock, order_ids
from seckill_sidecar.model import Decision, Event, EventKind, Item, ItemView, Order, Purchase, Settled, State

SKU = "sneaker"
PREFIX = "shop"
NOW_MS = 1_750_000_000_000
"""When tests that set the time begin, in milliseconds since 1970."""

CLOCK = SystemClock()
_make_id = order_ids(ManualClock(), random.Random(7))


def new_order_id(sku: str = SKU) -> str:
    """An order id that nobody else has."""
    return _make_id(sku)


def within(seconds: float = 5.0) -> Deadline:
    """A deadline on the real clock."""
    return Deadline.after(seconds, CLOCK)


def open_line(url: str, timeout: float = 5.0, connect_timeout: float = 2.0, batch: int = 64, bound: int = 1000) -> Line:
    """A line that is patient unless told otherwise."""
    return Line(url, CLOCK, timeout=timeout, connect_timeout=connect_timeout, batch=batch, bound=bound)


class Sale:
    """A ledger on a real server, and all that may be done to it."""

    def __init__(self, url: str, rules: LedgerRules | None = None, timeout: float = 5.0) -> None:
        self.url = url
        self.keys = Keys(PREFIX)
        self.line = open_line(url, timeout)
        self.ledger = RedisLedger(self.line, self.keys, rules or LedgerRules(), CLOCK)

    def under(self, **rules: Any) -> Sale:
        """The same server under other rules: ``sale.under(outbox_bound=2)``; set rules before buying."""
        self.ledger = RedisLedger(self.line, self.keys, LedgerRules(**rules), CLOCK, self.ledger.now_us)
        return self

    def close(self) -> None:
        self.line.close()

    # -- time

    def set_time(self, ms: float) -> None:
        """Let the ledger believe that it is this moment, in milliseconds since 1970."""
        self.ledger.now_us = str(round(ms * 1000))

    # -- selling

    def open_sale(self, total: int = 10, sku: str = SKU, **fields: Any) -> ItemView:
        """Load an item that sells at once, ten to a buyer."""
        return self.ledger.load(Item(sku, total, **{"per_buyer": 10, **fields}), within())

    def buy(self, buyer: str = "ann", quantity: int = 1, sku: str = SKU, **fields: Any) -> Decision:
        """Ask for units, under a new order id unless one is given."""
        fields.setdefault("order_id", new_order_id(sku))
        return self.ledger.reserve(Purchase(item=sku, buyer=buyer, quantity=quantity, **fields), within())

    def order_of(self, buyer: str = "ann", quantity: int = 1, **fields: Any) -> Order:
        """Buy, and be sure to get it."""
        decision = self.buy(buyer, quantity, **fields)
        assert decision.verdict == "accepted", decision
        assert decision.order is not None
        return decision.order

    def settle(self, order: Order | str, state: str = "paid", reason: str = "") -> Settled:
        """Pay, cancel or expire an order."""
        order_id = order if isinstance(order, str) else order.id
        return self.ledger.settle(order_id, State(state), reason, within())

    def seal(self, order_id: str) -> Order | None:
        return self.ledger.seal(order_id, within())

    def add(self, units: int, sku: str = SKU) -> ItemView:
        return self.ledger.add(sku, units, within())

    def switch(self, status: str, sku: str = SKU) -> ItemView:
        return self.ledger.switch(sku, status, within())

    # -- looking

    def item(self, sku: str = SKU) -> ItemView:
        view = self.ledger.item(sku, within())
        assert view is not None
        return view

    def order(self, order_id: str) -> Order | None:
        return self.ledger.order(order_id, within())

    def orders(self, sku: str = SKU) -> dict[str, Order]:
        return {order.id: order for order in self.ledger.orders(sku)}

    def outbox(self, sku: str = SKU) -> list[Event]:
        """All events that wait, as they would be published."""
        return [Event.decode(fields[1]) for _, fields in self.ask("XRANGE", self.key("outbox", sku), "-", "+")]

    # -- behind the adapter's back

    def ask(self, *command: Any) -> Any:
        """One raw command."""
        return self.line.ask(*command, deadline=within())

    def key(self, part: str, sku: str = SKU) -> str:
        return self.keys.of(sku, part)

    def everything(self) -> dict[bytes, Any]:
        """All keys with all that they hold."""
        return {key: self._content(key) for key in self.ask("KEYS", "*")}

    def _content(self, key: bytes) -> Any:
        match self.ask("TYPE", key).decode():
            case "hash":
                flat = self.ask("HGETALL", key)
                return dict(zip(flat[::2], flat[1::2], strict=True))
            case "stream":
                return self.ask("XRANGE", key, "-", "+"), self.ask("XINFO", "STREAM", key)[:8]
            case "zset":
                return self.ask("ZRANGE", key, 0, -1, "WITHSCORES")
            case "set":
                return sorted(self.ask("SMEMBERS", key))
            case "string":
                return self.ask("GET", key)
            case kind:
                return kind, self.ask("DUMP", key)

    # -- what must always be true

    def expect_balanced(self, sku: str = SKU) -> ItemView:
        """Every unit is accounted for, in each key, and the outbox tells the same story (nothing handed off yet)."""
        view, orders = self.item(sku), self.orders(sku)
        assert view.balanced, view
        assert view.held == _units(orders, "held"), (view, orders)
        assert view.paid == _units(orders, "paid"), (view, orders)
        assert sorted(order.seq for order in orders.values()) == list(range(1, view.seq + 1))
        assert self._buyers(sku) == _units_by_buyer(orders)
        assert self._due(sku) == {order.id: order.due_at_ms for order in orders.values() if order.state == "held"}
        expect_same_story(orders, self.outbox(sku), view.epoch)
        return view

    def _buyers(self, sku: str) -> dict[str, int]:
        flat = self.ask("HGETALL", self.key("buyers", sku))
        return {buyer.decode(): int(units) for buyer, units in zip(flat[::2], flat[1::2], strict=True)}

    def _due(self, sku: str) -> dict[str, int]:
        flat = self.ask("ZRANGE", self.key("due", sku), 0, -1, "WITHSCORES")
        return {order_id.decode(): int(due) for order_id, due in zip(flat[::2], flat[1::2], strict=True)}


def expect_same_story(orders: dict[str, Order], events: list[Event], epoch: int) -> None:
    """One event for each step of each order, in order, ending where the order stands."""
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.order.epoch == epoch:
            told[event.order.id].append(event)
    assert told.keys() == orders.keys()
    for order_id, steps in told.items():
        assert [step.no for step in steps] == list(range(1, len(steps) + 1))
        assert steps[0].kind is EventKind.ACCEPTED
        late = steps[-1].kind is EventKind.LATE_PAYMENT
        assert len(steps) == (1 if orders[order_id].state == "held" else 2 + late)
        assert steps[-1].order == orders[order_id]


def _units(orders: dict[str, Order], state: str) -> int:
    return sum(order.quantity for order in orders.values() if order.state == state)


def _units_by_buyer(orders: dict[str, Order]) -> dict[str, int]:
    units: Counter[str] = Counter()
    for order in orders.values():
        if order.state in ("held", "paid"):
            units[order.buyer] += order.quantity
    return dict(units)


def run_at_once(*tasks: Callable[[], object], within: float = 30.0) -> None:
    """Run each task in a thread of its own; raise what the first of them raised."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result(within)
