"""One purchase, decided: the contract of ``reserve`` on every server that the ledger may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_words import NOW_MS, SKU, Sale, new_order_id, within

from seckill_sidecar.model import Decision, Event, State, Verdict

pytestmark = pytest.mark.gevent_too


def verdicts(*decisions: Decision) -> list[str]:
    return [str(decision.verdict) for decision in decisions]


# -- accepting ---------------------------------------------------------------------------------------


def test_an_accepted_purchase_deducts_holds_records_and_queues(sale: Sale) -> None:
    sale.set_time(NOW_MS + 0.7)
    sale.open_sale(10, hold_ms=60_000)
    decision = sale.buy("ann", 3, traceparent="00-a-b-01")
    assert decision.verdict is Verdict.ACCEPTED
    assert decision.outbox_id
    assert decision.order is not None
    assert (decision.order.item, decision.order.buyer, decision.order.quantity) == (SKU, "ann", 3)
    assert (decision.order.epoch, decision.order.seq, decision.order.state) == (1, 1, State.HELD)
    assert (decision.order.accepted_at_ms, decision.order.due_at_ms) == (NOW_MS, NOW_MS + 60_000)
    assert sale.order(decision.order.id) == decision.order
    view = sale.expect_balanced()
    assert (view.free, view.held, view.paid) == (7, 3, 0)


def test_the_answer_carries_the_very_event_that_waits_in_the_outbox(sale: Sale) -> None:
    sale.open_sale()
    decision = sale.buy(traceparent="00-a-b-01")
    [entry] = sale.ledger.outbox(SKU, 0, 10, within())
    assert (entry.id, entry.body) == (decision.outbox_id, decision.body)
    event = Event.decode(decision.body)
    assert (event.order, event.no, event.total, event.traceparent) == (decision.order, 1, 10, "00-a-b-01")


def test_a_route_may_set_how_long_its_holds_live(sale: Sale) -> None:
    sale.set_time(NOW_MS)
    sale.open_sale(hold_ms=60_000)
    assert sale.order_of(hold_ms=5_000).due_at_ms == NOW_MS + 5_000
    sale.expect_balanced()


def test_accepted_orders_are_numbered_without_gaps(sale: Sale) -> None:
    sale.open_sale(4, per_buyer=1)
    sale.open_sale(4, sku="boot")
    bought = [sale.buy(buyer) for buyer in ("ann", "ann", "ben", "cem", "ann", "dan")]
    assert [decision.order.seq for decision in bought if decision.order] == [1, 2, 3, 4]
    assert sale.order_of(sku="boot").seq == 1
    sale.expect_balanced()


def test_what_was_confirmed_leaves_the_outbox_and_nothing_else_does(sale: Sale) -> None:
    sale.open_sale()
    first, second = sale.buy(), sale.buy()
    sale.ledger.handed_off(SKU, [first.outbox_id], within())
    sale.ledger.handed_off(SKU, [first.outbox_id], within())
    sale.ledger.handed_off(SKU, [], within())
    assert [event.order for event in sale.outbox()] == [second.order]


def test_the_outbox_gives_only_what_is_old_enough_and_no_more_than_asked(sale: Sale) -> None:
    sale.open_sale()
    for _ in range(3):
        sale.order_of()
    assert sale.ledger.outbox(SKU, 60, 10, within()) == []
    assert len(sale.ledger.outbox(SKU, 0, 2, within())) == 2


# -- asking again ------------------------------------------------------------------------------------


def test_asking_again_with_the_same_order_id_answers_the_same_and_deducts_once(sale: Sale) -> None:
    sale.open_sale()
    order_id = new_order_id()
    first = sale.buy("ann", 2, order_id=order_id)
    again = [sale.buy("ann", 2, order_id=order_id) for _ in range(3)]
    assert all(decision.verdict is Verdict.ACCEPTED and decision.order == first.order for decision in again)
    assert all(Event.decode(decision.body) == Event.decode(first.body) for decision in again)
    assert sale.expect_balanced().held == 2


def test_asking_again_tells_what_was_bought_whatever_is_asked_now(sale: Sale) -> None:
    sale.open_sale()
    order = sale.order_of("ann", 2)
    for buyer, quantity in (("ann", 5), ("ben", 2)):
        assert sale.buy(buyer, quantity, order_id=order.id).order == order
    sale.expect_balanced()


@pytest.mark.parametrize("state", ["paid", "cancelled", "expired"])
def test_asking_again_for_a_settled_order_tells_how_it_stands(sale: Sale, state: str) -> None:
    sale.set_time(NOW_MS)
    sale.open_sale(hold_ms=1)
    order = sale.order_of("ann", 2, key="k")
    sale.set_time(NOW_MS + 1)
    sale.settle(order, state)
    before = sale.everything()
    for again in (sale.buy("ann", 2, order_id=order.id), sale.buy("ann", 2, key="k")):
        assert again.verdict is Verdict.REPLAYED
        assert again.order == replace(order, state=State(state))
    assert sale.everything() == before


def test_an_idempotency_key_buys_once(sale: Sale) -> None:
    sale.open_sale()
    first = sale.buy("ann", 2, key="k")
    again = [sale.buy("ann", 2, key="k") for _ in range(3)]
    assert verdicts(first, *again) == ["accepted", "replayed", "replayed", "replayed"]
    assert all(decision.order == first.order for decision in again)
    assert sale.expect_balanced().held == 2


def test_an_idempotency_key_is_the_buyers_own(sale: Sale) -> None:
    sale.open_sale()
    assert verdicts(sale.buy("ann", key="k"), sale.buy("ben", key="k")) == ["accepted", "accepted"]
    sale.expect_balanced()


def test_a_key_used_for_another_quantity_or_item_is_a_conflict(sale: Sale) -> None:
    sale.open_sale()
    sale.open_sale(sku="boot")
    sale.order_of("ann", 2, key="k")
    before = sale.everything()
    assert verdicts(sale.buy("ann", 1, key="k"), sale.buy("ann", 2, sku="boot", key="k")) == ["conflict"] * 2
    assert sale.everything() == before


def test_a_key_stays_with_its_order_after_the_binding_across_items_has_run_out(sale: Sale) -> None:
    sale.open_sale()
    first = sale.order_of("ann", 2, key="k")
    [binding] = sale.ask("KEYS", "shop:binding:*")
    assert 86_000 < sale.ask("TTL", binding) <= 86_400
    sale.ask("DEL", binding)
    assert sale.buy("ann", 2, key="k").order == first
    sale.ask("DEL", binding)
    assert sale.buy("ann", 1, key="k").verdict is Verdict.CONFLICT
    sale.expect_balanced()


def test_a_key_of_a_refused_purchase_may_be_tried_again(sale: Sale) -> None:
    sale.open_sale(0)
    assert sale.buy(key="k").verdict is Verdict.SOLD_OUT
    sale.add(1)
    assert sale.buy(key="k").verdict is Verdict.ACCEPTED
    sale.expect_balanced()


def test_a_replay_comes_before_every_refusal(sale: Sale) -> None:
    sale.open_sale(1, per_buyer=1)
    order = sale.order_of(key="k")
    for status in ("closed", "paused"):
        sale.switch(status)
        assert verdicts(sale.buy(key="k"), sale.buy(order_id=order.id)) == ["replayed", "accepted"]


# -- the window --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_ms", "verdict", "retry_after"),
    [(-1_500, "not_open", 1.5), (-1, "not_open", 0.001), (0, "accepted", 0), (999, "accepted", 0), (1000, "closed", 0)],
)
def test_an_item_sells_from_its_opening_until_its_closing(
    sale: Sale, at_ms: int, verdict: str, retry_after: float
) -> None:
    sale.open_sale(opens_at_ms=NOW_MS, closes_at_ms=NOW_MS + 1000)
    sale.set_time(NOW_MS + at_ms)
    decision = sale.buy()
    assert (decision.verdict, decision.retry_after) == (verdict, retry_after)
    sale.expect_balanced()


def test_the_window_is_held_against_the_servers_own_time(sale: Sale) -> None:
    sale.open_sale(opens_at_ms=NOW_MS)
    sale.open_sale(sku="boot", opens_at_ms=2 * NOW_MS)
    assert verdicts(sale.buy(), sale.buy(sku="boot")) == ["accepted", "not_open"]


@pytest.mark.parametrize(("status", "verdict"), [("open", "accepted"), ("closed", "closed"), ("paused", "unavailable")])
def test_an_item_can_be_switched_by_hand(sale: Sale, status: str, verdict: str) -> None:
    sale.open_sale()
    assert sale.switch(status).status == status
    assert sale.buy().verdict == verdict
    sale.switch("open")
    assert sale.buy().verdict == "accepted"
    sale.expect_balanced()


# -- limits and stock --------------------------------------------------------------------------------


def test_a_buyer_gets_no_more_than_the_limit_whatever_the_portions(sale: Sale) -> None:
    sale.open_sale(100, per_buyer=5)
    got = [sale.buy("ann", quantity) for quantity in (6, 3, 3, 2, 1)]
    assert verdicts(*got) == ["limit_reached", "accepted", "limit_reached", "accepted", "limit_reached"]
    assert sale.buy("ben", 5).verdict is Verdict.ACCEPTED
    assert sale.expect_balanced().held == 10


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_units_of_an_order_that_ends_unpaid_come_back_to_buyer_and_item(sale: Sale, state: str) -> None:
    sale.set_time(NOW_MS)
    sale.open_sale(5, per_buyer=3, hold_ms=1)
    order = sale.order_of("ann", 2)
    sale.order_of("ann", 1, hold_ms=9_999)
    assert sale.buy("ann").verdict is Verdict.LIMIT_REACHED
    sale.set_time(NOW_MS + 1)
    sale.settle(order, state)
    assert sale.expect_balanced().free == 4
    assert verdicts(sale.buy("ann", 3), sale.buy("ann", 2)) == ["limit_reached", "accepted"]
    sale.expect_balanced()


def test_paid_units_still_count_towards_the_limit(sale: Sale) -> None:
    sale.open_sale(per_buyer=1)
    sale.settle(sale.order_of(), "paid")
    assert sale.buy().verdict is Verdict.LIMIT_REACHED


def test_sold_out_tells_how_many_units_are_left(sale: Sale) -> None:
    sale.open_sale(5)
    sale.order_of("ann", 3)
    few, none_left = sale.buy("ben", 3), [sale.buy("ben", 2), sale.buy("ben", 1)]
    assert (few.verdict, few.available) == (Verdict.SOLD_OUT, 2)
    assert verdicts(*none_left) == ["accepted", "sold_out"]
    assert none_left[1].available == 0
    assert sale.expect_balanced().free == 0


def test_an_item_of_no_units_is_sold_out(sale: Sale) -> None:
    sale.open_sale(0)
    assert sale.buy().verdict is Verdict.SOLD_OUT


def test_an_item_that_nobody_loaded_is_unknown(sale: Sale) -> None:
    sale.open_sale(sku="boot")
    before = sale.everything()
    assert sale.buy().verdict is Verdict.UNKNOWN_ITEM
    assert sale.everything() == before


@pytest.mark.parametrize(
    "quantity", [0, -1, -5, 10_000, 1.5, 1e3, "nan", "0x1", " 1", "1\n", "1\x00", "1e0", "01", "+1", "٣", "1_0", ""]
)
def test_a_quantity_that_is_no_whole_number_from_1_to_9999_deducts_nothing(sale: Sale, quantity: int) -> None:
    sale.open_sale(100_000, per_buyer=9_999)
    before = sale.everything()
    assert sale.buy(quantity=quantity).verdict is Verdict.UNAVAILABLE
    assert sale.everything() == before


@pytest.mark.parametrize("quantity", [1, 9, 10, 999, 9_999])
def test_every_other_quantity_is_deducted_exactly(sale: Sale, quantity: int) -> None:
    sale.open_sale(100_000_000, per_buyer=9_999)
    sale.order_of(quantity=quantity)
    assert sale.expect_balanced().held == quantity


# -- buyers ------------------------------------------------------------------------------------------

ODD_BUYERS = [
    "Ünal 张伟 🛒",
    "a\nb",
    "a\r\n$3\r\nx",
    "nul\x00nul",
    'quote " and \\ back',
    "x" * 255,
    "字" * 255,
    "\x7f\x1f\u2028",
    "{boot}",
    "",
    " ",
    "rate:buyer",
]


@pytest.mark.parametrize("buyer", ODD_BUYERS)
def test_a_buyer_may_be_any_text(sale: Sale, buyer: str) -> None:
    sale.under(buyer_rate=None)
    sale.open_sale(per_buyer=2)
    order = sale.order_of(buyer, 2, key="k")
    assert order.buyer == buyer
    assert sale.order(order.id) == order
    assert verdicts(sale.buy(buyer, 2, key="k"), sale.buy(buyer)) == ["replayed", "limit_reached"]
    sale.expect_balanced()
    sale.settle(order, "cancelled")
    sale.expect_balanced()


def test_no_two_pairs_of_buyer_and_key_are_taken_for_one(sale: Sale) -> None:
    sale.open_sale(100)
    pairs = [("a", "b\nc"), ("a\nb", "c"), ("", "a\nb\nc"), ("1:a", "b"), ("1", ":ab"), ("1:", "ab"), ("1:1", "ab")]
    decisions = [sale.buy(buyer, key=key) for buyer, key in pairs]
    assert verdicts(*decisions) == ["accepted"] * len(pairs)
    assert sale.expect_balanced().held == len(pairs)


def test_a_purchase_that_can_not_be_written_as_utf_8_fails_by_itself(sale: Sale) -> None:
    sale.open_sale()
    before = sale.everything()
    with pytest.raises(ValueError, match="surrogates"):
        sale.buy("\ud800")
    assert sale.everything() == before
