"""How an order ends, and that it ends once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from ledger_words import NOW_MS, SKU, Sale, new_order_id, run_at_once, within

from seckill_sidecar.errors import LedgerUntrusted, UsageError
from seckill_sidecar.model import Event, EventKind, Item, Settled, Settlement, State, Verdict

pytestmark = pytest.mark.gevent_too

FINAL = ("paid", "cancelled", "expired")


@pytest.fixture
def sale(sale: Sale) -> Sale:
    """Five units of an item whose holds are due at once."""
    sale.set_time(NOW_MS)
    sale.open_sale(5, hold_ms=0)
    return sale


@pytest.mark.parametrize("state", FINAL)
def test_a_held_order_is_settled_and_the_outbox_says_so(sale: Sale, state: str) -> None:
    order = sale.order_of("ann", 2)
    settled = sale.settle(order, state, reason="because")
    assert settled.outcome is Settlement.SETTLED
    assert settled.order == replace(order, state=State(state)) == sale.order(order.id)
    event = sale.outbox()[-1]
    assert (event.kind, event.no, event.reason, event.at_ms, event.total) == (state, 2, "because", NOW_MS, 5)
    assert Event.decode(settled.body) == event
    view = sale.expect_balanced()
    assert (view.free, view.held, view.paid) == ((3, 0, 2) if state == "paid" else (5, 0, 0))


@pytest.mark.parametrize("first", FINAL)
@pytest.mark.parametrize("second", FINAL)
def test_the_first_final_state_stands(sale: Sale, first: str, second: str) -> None:
    order = sale.order_of("ann", 2)
    sale.settle(order, first)
    before = sale.everything()
    again = sale.settle(order, second)
    if second == "paid" != first:
        assert again.outcome is Settlement.LATE
        before = sale.everything()
        again = sale.settle(order, second)
    assert again.outcome is (Settlement.ALREADY if first == second else Settlement.REFUSED)
    assert again.order == replace(order, state=State(first))
    assert sale.everything() == before


@pytest.mark.parametrize("first", ["cancelled", "expired"])
def test_a_payment_that_comes_too_late_is_recorded_once_and_changes_no_units(sale: Sale, first: str) -> None:
    order = sale.order_of("ann", 2)
    sale.settle(order, first)
    before = sale.item()
    late = sale.settle(order, "paid", "paid at the bank")
    after = sale.item()
    event = Event.decode(late.body)
    assert (event.kind, event.no, event.reason) == (EventKind.LATE_PAYMENT, 3, "paid at the bank")
    assert event.order.state == first
    assert late.outcome is Settlement.LATE
    assert after == replace(before, chain=before.chain + 1, digest=event.digest)
    assert sale.settle(order, "paid").outcome is Settlement.REFUSED


def test_the_events_of_an_item_form_a_chain(sale: Sale) -> None:
    order, other = sale.order_of("ann"), sale.order_of("bén 中")
    sale.settle(order, "expired")
    sale.settle(other, "paid", "because")
    sale.settle(order, "paid")
    events = [Event.decode(fields[1]) for _, fields in sale.ask("XRANGE", sale.key("outbox"), "-", "+")]
    assert [event.chain for event in events] == [1, 2, 3, 4, 5]
    assert [event.prev for event in events] == ["0" * 40, *(event.digest for event in events[:-1])]
    assert sale.ask("HGET", sale.key("item"), "digest").decode() == events[-1].digest


def test_a_hold_expires_only_when_it_is_due(sale: Sale) -> None:
    order = sale.order_of("ann", hold_ms=1000)
    later = sale.order_of("ben", hold_ms=2000)
    sale.set_time(NOW_MS + 999)
    assert sale.ledger.due(SKU, 10, within()) == []
    early = sale.settle(order, "expired")
    assert (early.outcome, early.order) == (Settlement.REFUSED, order)
    sale.set_time(NOW_MS + 1000)
    assert sale.ledger.due(SKU, 10, within()) == [order.id]
    assert sale.settle(order, "expired").outcome is Settlement.SETTLED
    sale.set_time(NOW_MS + 2000)
    assert sale.ledger.due(SKU, 10, within()) == [later.id]
    sale.expect_balanced()


def test_due_holds_come_oldest_first_and_no_more_than_asked(sale: Sale) -> None:
    orders = [sale.order_of(hold_ms=hold) for hold in (30, 10, 20)]
    sale.set_time(NOW_MS + 100)
    assert sale.ledger.due(SKU, 2, within()) == [orders[1].id, orders[2].id]


def test_holds_are_due_by_the_servers_own_clock(sale: Sale) -> None:
    order = sale.order_of()
    sale.ledger.now_us = ""
    assert sale.ledger.due(SKU, 10, within()) == [order.id]
    assert sale.settle(order, "expired").outcome is Settlement.SETTLED


@pytest.mark.parametrize("state", FINAL)
def test_an_order_that_does_not_exist_can_not_be_settled(sale: Sale, state: str) -> None:
    before = sale.everything()
    assert sale.settle(new_order_id(), state) == Settled(Settlement.UNKNOWN_ORDER)
    assert sale.settle(new_order_id("boot"), state) == Settled(Settlement.UNKNOWN_ORDER)
    assert sale.everything() == before


@pytest.mark.parametrize("text", ["", "sneaker", "sneaker~1", "a b~01JD8Z5V0N3Q6W9X2Y4T7R1KGM", "~" * 300])
def test_what_is_no_order_id_is_told_so(sale: Sale, text: str) -> None:
    with pytest.raises(UsageError, match="no order id"):
        sale.settle(text)


def test_to_settle_as_held_changes_nothing(sale: Sale) -> None:
    order = sale.order_of()
    before = sale.everything()
    with pytest.raises(LedgerUntrusted, match="state"):
        sale.settle(order, "held")
    assert sale.everything() == before


# -- seals -------------------------------------------------------------------------------------------


def test_a_sealed_id_never_becomes_an_order(sale: Sale) -> None:
    order_id = new_order_id()
    assert sale.seal(order_id) is None
    assert sale.seal(order_id) is None
    for key in (None, "k"):
        assert sale.buy(order_id=order_id, key=key).verdict is Verdict.UNAVAILABLE
    assert sale.order(order_id) is None
    assert sale.settle(order_id).outcome is Settlement.UNKNOWN_ORDER
    assert sale.expect_balanced().free == 5
    assert sale.buy(key="k").verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("state", ["held", *FINAL])
def test_sealing_an_order_that_exists_tells_how_it_stands(sale: Sale, state: str) -> None:
    order = sale.order_of()
    if state != "held":
        sale.settle(order, state)
    before = sale.everything()
    assert sale.seal(order.id) == replace(order, state=State(state))
    assert sale.everything() == before


def test_a_seal_outlives_the_sale_that_it_was_made_in(sale: Sale) -> None:
    order_id = new_order_id()
    sale.settle(sale.order_of(), "paid")
    sale.seal(order_id)
    sale.ledger.load(Item(SKU, 5), within(), replaces=1)
    assert sale.buy(order_id=order_id).verdict is Verdict.UNAVAILABLE


def test_nothing_is_sealed_on_an_item_that_the_ledger_does_not_have(sale: Sale) -> None:
    with pytest.raises(LedgerUntrusted, match="unverified"):
        sale.seal(new_order_id("boot"))
    sale.open_sale(sku="boot")
    sale.order_of(sku="boot")
    sale.expect_balanced("boot")


def test_seals_go_after_a_day(sale: Sale) -> None:
    old, new = new_order_id(), new_order_id()
    sale.seal(old)
    sale.set_time(NOW_MS + 86_400_000)
    sale.seal(new)
    assert sale.ask("ZRANGE", sale.key("sealed"), 0, -1) == [new.encode()]


# -- races -------------------------------------------------------------------------------------------


def test_of_paying_cancelling_and_expiring_at_once_exactly_one_wins(sale: Sale) -> None:
    sale.open_sale(1000, sku="boot", per_buyer=1000, hold_ms=0)
    orders = [sale.order_of("ann", sku="boot") for _ in range(60)]
    outcomes: dict[str, list[Settlement]] = {order.id: [] for order in orders}
    start = threading.Barrier(len(FINAL))

    def settle_all(state: str) -> None:
        start.wait(10)
        for order in orders:
            outcomes[order.id].append(sale.settle(order, state).outcome)

    run_at_once(*[lambda state=state: settle_all(state) for state in FINAL])
    assert all(told.count(Settlement.SETTLED) == 1 for told in outcomes.values())
    assert {outcome for told in outcomes.values() for outcome in told} <= {"settled", "refused", "late"}
    sale.expect_balanced("boot")


def test_of_reserving_and_sealing_at_once_exactly_one_wins(sale: Sale) -> None:
    sale.open_sale(1000, sku="boot", per_buyer=1000)
    ids = [new_order_id("boot") for _ in range(60)]
    bought: dict[str, Verdict] = {}
    sealed: dict[str, bool] = {}
    start = threading.Barrier(2)

    def buy_all() -> None:
        start.wait(10)
        for order_id in ids:
            bought[order_id] = sale.buy(sku="boot", order_id=order_id).verdict

    def seal_all() -> None:
        start.wait(10)
        for order_id in ids:
            sealed[order_id] = sale.seal(order_id) is None

    run_at_once(buy_all, seal_all)
    assert all((bought[order_id] is Verdict.ACCEPTED) is not sealed[order_id] for order_id in ids)
    sale.expect_balanced("boot")


def test_many_buyers_at_once_get_exactly_what_there_is(sale: Sale) -> None:
    sale.open_sale(50, sku="boot", per_buyer=3)
    verdicts: list[Verdict] = []

    def shop(buyer: str) -> None:
        verdicts.extend(sale.buy(buyer, 1, sku="boot").verdict for _ in range(5))

    run_at_once(*[lambda buyer=f"buyer-{n}": shop(buyer) for n in range(40)])
    assert verdicts.count(Verdict.ACCEPTED) == 50
    assert set(verdicts) <= {Verdict.ACCEPTED, Verdict.SOLD_OUT, Verdict.LIMIT_REACHED}
    assert sale.expect_balanced("boot").free == 0


def test_one_purchase_sent_many_times_at_once_is_one_order(sale: Sale) -> None:
    order_id = new_order_id()
    told = []
    run_at_once(*[lambda: told.append(sale.buy("ann", order_id=order_id)) for _ in range(20)])
    run_at_once(*[lambda: told.append(sale.buy("ben", key="k")) for _ in range(20)])
    assert len({decision.order.id for decision in told if decision.order}) == 2
    assert sale.expect_balanced().held == 2
