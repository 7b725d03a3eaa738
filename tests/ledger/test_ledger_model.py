"""The ledger against a model of it: any order of purchases, settlements and an operator's doings, on real servers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from ledger_words import NOW_MS, SKU, Sale, new_order_id, within

from seckill_sidecar.errors import UsageError
from seckill_sidecar.model import Admission, Event, EventKind, Item, State, Verdict

pytestmark = pytest.mark.gevent_too

PER_BUYER = 4
HOLD_MS = 1000
PER_ADDRESS = 2
ADMITTED_MS = 1500
BUYERS = ("ann", "ben", "c\n1")
KEYS = (None, None, None, "k", "1k")
ADDRESSES = ("", "", "192.0.2.1", "192.0.2.2")
NONCES = (None, None, "n1", "n2", "n3")
FINAL = ("paid", "cancelled", "expired")
LIVE = ("held", "paid")
picks = st.integers(0, 20)
"""Which of what there is; order ids differ from run to run, their places don't."""


def pick_from(choices: Sequence[str], pick: int) -> str:
    return choices[pick % len(choices)]


@dataclass
class Known:
    """An order as the model has it."""

    buyer: str
    quantity: int
    due_ms: int
    seq: int
    state: str = "held"
    steps: int = 1
    late: bool = False
    address: str = ""


@dataclass
class Model:
    """One item in plain dictionaries."""

    total: int = 6
    status: str = "open"
    epoch: int = 1
    now_ms: int = NOW_MS
    orders: dict[str, Known] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    meanings: dict[tuple[str, str], int] = field(default_factory=dict)
    sealed: list[str] = field(default_factory=list)
    burned: set[str] = field(default_factory=set)

    def units(self, *states: str, buyer: str | None = None) -> int:
        return sum(
            order.quantity for order in self.orders.values() if order.state in states and buyer in (None, order.buyer)
        )

    @property
    def free(self) -> int:
        return self.total - self.units("held", "paid")

    def buy(
        self, order_id: str, buyer: str, quantity: int, key: str | None, address: str, admission: Admission | None
    ) -> tuple[Verdict, str | None]:
        """What is answered, and which order it names."""
        if key and self.meanings.setdefault((buyer, key), quantity) != quantity:
            return Verdict.CONFLICT, None
        if order_id in self.orders:
            held = self.orders[order_id].state == "held"
            return Verdict.ACCEPTED if held else Verdict.REPLAYED, order_id
        if order_id in self.sealed:
            return Verdict.UNAVAILABLE, None
        if key and (buyer, key) in self.keys:
            return Verdict.REPLAYED, self.keys[buyer, key]
        refusal = self._refusal(buyer, quantity, address, admission)
        if refusal:
            return refusal, None
        self.orders[order_id] = Known(buyer, quantity, self.now_ms + HOLD_MS, len(self.orders) + 1, address=address)
        if admission:
            self.burned.add(admission.nonce)
        if key:
            self.keys[buyer, key] = order_id
        return Verdict.ACCEPTED, order_id

    def _refusal(self, buyer: str, quantity: int, address: str, admission: Admission | None) -> Verdict | None:
        if self.status != "open":
            return Verdict.CLOSED if self.status == "closed" else Verdict.UNAVAILABLE
        if admission and (admission.until_ms <= self.now_ms or admission.nonce in self.burned):
            return Verdict.NOT_ADMITTED
        if self.units("held", "paid", buyer=buyer) + quantity > PER_BUYER:
            return Verdict.LIMIT_REACHED
        if address and self.counted()[address] >= PER_ADDRESS:
            return Verdict.LIMIT_REACHED
        return Verdict.SOLD_OUT if quantity > self.free else None

    def counted(self) -> Counter[str]:
        """Orders that stand, by the address that they came from."""
        return Counter(order.address for order in self.orders.values() if order.address and order.state in LIVE)

    def settle(self, order_id: str, state: str) -> str:
        order = self.orders[order_id]
        if order.state == state:
            return "already"
        if state == "paid" and order.state != "held" and not order.late:
            order.late, order.steps = True, 3
            return "late"
        if order.state != "held" or (state == "expired" and self.now_ms < order.due_ms):
            return "refused"
        order.state, order.steps = state, 2
        return "settled"


class LedgerMachine(RuleBasedStateMachine):
    """Does the same to a real ledger and to the model, and compares all that can be seen."""

    sale: Sale
    """Set by ``machine_on``."""

    def __init__(self) -> None:
        super().__init__()
        self.sale.ask("FLUSHALL")
        self.sale.ledger.forget()
        self.model = Model()
        self.log: list[Event] = []
        self.sale.set_time(NOW_MS)
        self.sale.open_sale(self.model.total, per_buyer=PER_BUYER, hold_ms=HOLD_MS)

    # -- selling

    @rule(
        buyer=st.sampled_from(BUYERS),
        quantity=st.sampled_from((1, 1, 2, 2, 3, 5)),
        key=st.sampled_from(KEYS),
        again=st.sampled_from((False, False, True)),
        pick=picks,
        address=st.sampled_from(ADDRESSES),
        nonce=st.sampled_from(NONCES),
    )
    def buy(
        self, buyer: str, quantity: int, key: str | None, again: bool, pick: int, address: str, nonce: str | None
    ) -> None:
        known = [*self.model.orders, *self.model.sealed]
        order_id = pick_from(known, pick) if again and known else new_order_id()
        # Each nonce's end is its own, and the third one is over before long.
        admission = Admission(buyer, SKU, nonce, NOW_MS + (ADMITTED_MS if nonce == "n3" else 10**9)) if nonce else None
        verdict, named = self.model.buy(order_id, buyer, quantity, key, address, admission)
        decision = self.sale.buy(buyer, quantity, key=key, order_id=order_id, address=address, admission=admission)
        assert decision.verdict is verdict
        assert (decision.order.id if decision.order else None) == named
        if named:
            assert decision.order is not None
            self.compare_order(named, decision.order)
        if verdict is Verdict.SOLD_OUT:
            assert decision.available == self.model.free

    @precondition(lambda self: self.model.orders)
    @rule(state=st.sampled_from(FINAL), pick=picks)
    def settle(self, state: str, pick: int) -> None:
        order_id = pick_from([*self.model.orders], pick)
        outcome = self.model.settle(order_id, state)
        settled = self.sale.settle(order_id, state)
        assert settled.outcome == outcome
        assert settled.order is not None
        self.compare_order(order_id, settled.order)

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks)
    def seal_an_order(self, pick: int) -> None:
        order_id = pick_from([*self.model.orders], pick)
        found = self.sale.seal(order_id)
        assert found is not None
        self.compare_order(order_id, found)

    @rule()
    def seal_what_is_on_its_way(self) -> None:
        order_id = new_order_id()
        assert self.sale.seal(order_id) is None
        self.model.sealed.append(order_id)

    @rule()
    def expire_all_that_is_due(self) -> None:
        due = self.sale.ledger.due(SKU, 100, within())
        orders = self.model.orders
        expected = [key for key, order in orders.items() if order.state == "held" and order.due_ms <= self.model.now_ms]
        assert sorted(due) == sorted(expected)
        for order_id in due:
            assert self.sale.settle(order_id, "expired").outcome == self.model.settle(order_id, "expired") == "settled"

    # -- operating

    @rule(units=st.integers(0, 4))
    def add(self, units: int) -> None:
        self.model.total += units
        assert self.sale.add(units).total == self.model.total

    @rule(status=st.sampled_from(("open", "open", "open", "closed", "paused")))
    def switch(self, status: str) -> None:
        self.model.status = self.sale.switch(status).status

    @rule(ms=st.sampled_from((1, HOLD_MS // 2, HOLD_MS)))
    def time_passes(self, ms: int) -> None:
        self.model.now_ms += ms
        self.sale.set_time(self.model.now_ms)

    @rule(total=st.integers(0, 8))
    def replace(self, total: int) -> None:
        item = Item(SKU, total, per_buyer=PER_BUYER, hold_ms=HOLD_MS)
        if self.model.units("held"):
            with pytest.raises(UsageError):
                self.sale.ledger.load(item, within(), replaces=self.model.epoch)
            return
        self.sale.ledger.load(item, within(), replaces=self.model.epoch)
        old = self.model
        self.log.clear()
        self.sale.ask("XTRIM", self.sale.key("outbox"), "MAXLEN", 0)
        self.model = Model(
            total,
            epoch=old.epoch + 1,
            now_ms=old.now_ms,
            meanings=old.meanings,
            sealed=old.sealed,
            burned=old.burned,
        )

    @rule(chosen=st.sets(picks))
    def hand_off(self, chosen: set[int]) -> None:
        entries = self.sale.ask("XRANGE", self.sale.key("outbox"), "-", "+")
        taken = [entry for place, entry in enumerate(entries) if place in chosen]
        self.sale.ledger.handed_off(SKU, [entry_id.decode() for entry_id, _ in taken], within())
        self.log += [Event.decode(fields[1]) for _, fields in taken]

    # -- what must always be true

    @invariant()
    def the_item_is_what_the_model_says(self) -> None:
        view = self.sale.item()
        model = self.model
        assert view.balanced
        assert (view.total, view.free, view.held, view.paid) == (
            model.total,
            model.free,
            model.units("held"),
            model.units("paid"),
        )
        assert (view.epoch, view.seq, view.status) == (model.epoch, len(model.orders), model.status)

    @invariant()
    def the_orders_are_what_the_model_says(self) -> None:
        orders = self.sale.orders()
        assert orders.keys() == self.model.orders.keys()
        for order_id, order in orders.items():
            self.compare_order(order_id, order)

    @invariant()
    def no_buyer_has_more_than_the_limit(self) -> None:
        units: Counter[str] = Counter()
        for order in self.model.orders.values():
            units[order.buyer] += order.quantity * (order.state in ("held", "paid"))
        flat = self.sale.ask("HGETALL", self.sale.key("buyers"))
        kept = {buyer.decode(): int(count) for buyer, count in zip(flat[::2], flat[1::2], strict=True)}
        assert kept == +units
        assert all(count <= PER_BUYER for count in kept.values())

    @invariant()
    def admissions_and_addresses_are_what_the_orders_say(self) -> None:
        burned = {nonce.decode() for nonce in self.sale.ask("ZRANGE", self.sale.key("admitted"), 0, -1)}
        assert burned <= self.model.burned
        assert self.model.burned - burned <= {"n3"}, "only what has ended is forgotten"
        counts = sorted(map(int, self.sale.ask("HVALS", self.sale.key("addresses"))))
        assert counts == sorted(self.model.counted().values())
        assert all(count <= PER_ADDRESS for count in counts)

    @invariant()
    def the_events_tell_the_same_orders(self) -> None:
        told: dict[str, list[Event]] = defaultdict(list)
        for event in [*self.log, *self.sale.outbox()]:
            told[event.order.id].append(event)
        assert told.keys() == self.model.orders.keys()
        for order_id, events in told.items():
            events.sort(key=lambda event: event.no)
            assert [event.no for event in events] == list(range(1, self.model.orders[order_id].steps + 1))
            assert events[0].kind is EventKind.ACCEPTED
            self.compare_order(order_id, events[-1].order)

    def compare_order(self, order_id: str, order: Any) -> None:
        known = self.model.orders[order_id]
        assert (order.id, order.buyer, order.quantity, order.state, order.seq, order.due_at_ms, order.epoch) == (
            order_id,
            known.buyer,
            known.quantity,
            State(known.state),
            known.seq,
            known.due_ms,
            self.model.epoch,
        )


@contextmanager
def machine_on(url: str) -> Iterator[Callable[[], LedgerMachine]]:
    """A machine whose ledger is this server's."""
    sale = Sale(url).under(orders_per_address=PER_ADDRESS)
    yield type("Machine", (LedgerMachine,), {"sale": sale})
    sale.close()


def test_the_ledger_does_what_the_model_does(url: str) -> None:
    with machine_on(url) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=80,
                stateful_step_count=40,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
