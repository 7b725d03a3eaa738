"""Admissions in the ledger: who is admitted, and that an admission makes one order."""

from __future__ import annotations

import pytest
from ledger_words import NOW_MS, SKU, Sale, new_order_id, run_at_once, within

from seckill_sidecar.adapters.ledger import AdmissionRules
from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.model import Admission, Admittance, Decision, Rate, Verdict

pytestmark = pytest.mark.gevent_too

MINUTE_MS = 60_000


def leave(nonce: str = "n1", buyer: str = "ann", until_ms: int = NOW_MS + MINUTE_MS) -> Admission:
    return Admission(buyer, SKU, nonce, until_ms)


def burned(sale: Sale) -> set[str]:
    return {nonce.decode() for nonce in sale.ask("ZRANGE", sale.key("admitted"), 0, -1)}


@pytest.fixture
def sale(sale: Sale) -> Sale:
    """A sale at a moment that tests can move."""
    sale.set_time(NOW_MS)
    return sale


# -- an admission makes one order


def test_an_admission_is_used_up_by_the_order_that_it_makes(sale: Sale) -> None:
    sale.open_sale()
    sale.order_of(admission=leave())
    assert burned(sale) == {"n1"}
    again = sale.buy(admission=leave())
    assert (again.verdict, again.reason) == (Verdict.NOT_ADMITTED, "used")
    sale.order_of(admission=leave("n2"))
    assert sale.expect_balanced().held == 2


def test_the_same_order_id_is_answered_as_before_with_a_used_admission(sale: Sale) -> None:
    sale.open_sale()
    order_id = new_order_id()
    first, again = (sale.buy(order_id=order_id, admission=leave()) for _ in range(2))
    assert (first.verdict, again.verdict) == (Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert first.order == again.order
    assert sale.expect_balanced().held == 1


def test_the_same_idempotency_key_is_answered_as_before_whatever_admission_it_brings(sale: Sale) -> None:
    sale.open_sale()
    first = sale.order_of(key="k", admission=leave())
    for nonce in ("n1", "n2"):
        again = sale.buy(key="k", admission=leave(nonce))
        assert (again.verdict, again.order) == (Verdict.REPLAYED, first)
    assert burned(sale) == {"n1"}


def test_no_refusal_uses_an_admission_up(sale: Sale) -> None:
    sale.open_sale(total=2, per_buyer=1, opens_at_ms=NOW_MS + 1)
    assert sale.buy(admission=leave()).verdict is Verdict.NOT_OPEN
    sale.set_time(NOW_MS + 1)
    sale.order_of()
    assert sale.buy(admission=leave()).verdict is Verdict.LIMIT_REACHED
    assert sale.buy("bob", 9, admission=leave(buyer="bob")).verdict is Verdict.LIMIT_REACHED
    sale.order_of("cid")
    assert sale.buy("bob", admission=leave(buyer="bob")).verdict is Verdict.SOLD_OUT
    sale.switch("closed")
    assert sale.buy("bob", admission=leave(buyer="bob")).verdict is Verdict.CLOSED
    assert burned(sale) == set()


def test_an_admission_ends_by_the_ledgers_own_clock(sale: Sale) -> None:
    sale.open_sale()
    sale.set_time(NOW_MS + MINUTE_MS)
    late = sale.buy(admission=leave())
    assert (late.verdict, late.reason) == (Verdict.NOT_ADMITTED, "expired")
    assert burned(sale) == set()


def test_two_who_race_with_one_admission_make_one_order(sale: Sale) -> None:
    sale.open_sale(total=100)
    for nonce in ("a", "b", "c", "d", "e"):
        told: list[Decision] = []
        run_at_once(*[lambda nonce=nonce, told=told: told.append(sale.buy(admission=leave(nonce)))] * 4)  # type: ignore[misc]
        assert sorted(decision.verdict for decision in told) == ["accepted", *["not_admitted"] * 3]
    assert sale.expect_balanced().held == 5


def test_a_cancelled_order_does_not_bring_its_admission_back(sale: Sale) -> None:
    sale.open_sale()
    sale.settle(sale.order_of(admission=leave()), "cancelled")
    assert sale.buy(admission=leave()).verdict is Verdict.NOT_ADMITTED


def test_what_has_long_ended_is_forgotten_a_few_at_a_time(sale: Sale) -> None:
    sale.open_sale(total=100, per_buyer=100)
    for n in range(30):
        sale.order_of(admission=leave(f"old{n}"))
    sale.set_time(NOW_MS + MINUTE_MS + 59_999)
    sale.order_of(admission=leave("kept", until_ms=NOW_MS + 9 * MINUTE_MS))
    assert len(burned(sale)) == 31, "a clock may be set back"
    sale.set_time(NOW_MS + 2 * MINUTE_MS)
    sale.order_of(admission=leave("new", until_ms=NOW_MS + 9 * MINUTE_MS))
    assert len(burned(sale)) == 31 - 16 + 1
    sale.order_of(admission=leave("newer", until_ms=NOW_MS + 9 * MINUTE_MS))
    assert burned(sale) == {"kept", "new", "newer"}


def test_used_admissions_that_are_of_another_type_change_nothing(sale: Sale) -> None:
    sale.open_sale()
    sale.ask("SET", sale.key("admitted"), "x")
    before = sale.everything()
    with pytest.raises(LedgerUntrusted):
        sale.buy(admission=leave())
    assert sale.everything() == before
    sale.order_of()


def test_who_tries_used_admissions_spends_tokens_all_the_same(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 2)).open_sale()
    sale.order_of(admission=leave())
    assert sale.buy(admission=leave()).verdict is Verdict.NOT_ADMITTED
    assert sale.buy(admission=leave()).verdict is Verdict.RATE_LIMITED


# -- who is admitted


def admit(sale: Sale, buyer: str = "ann", address: str = "192.0.2.1") -> Admittance:
    return sale.ledger.admit(SKU, buyer, address, within())


def refused(sale: Sale, **who: str) -> tuple[str, float]:
    told = admit(sale, **who).refusal
    assert told is not None
    return told.verdict.value, told.retry_after


def rules(**more: Rate) -> AdmissionRules:
    return AdmissionRules(before_ms=10 * MINUTE_MS, lifetime_ms=5 * MINUTE_MS, **more)


def test_admission_is_given_from_a_while_before_the_opening_and_lasts_from_it(sale: Sale) -> None:
    sale.under(admission=rules())
    opens_at = NOW_MS + 11 * MINUTE_MS
    sale.open_sale(opens_at_ms=opens_at)
    assert refused(sale) == ("not_open", 60.0)
    sale.set_time(NOW_MS + MINUTE_MS)
    assert admit(sale) == Admittance(until_ms=opens_at + 5 * MINUTE_MS)
    sale.set_time(opens_at + 7)
    assert admit(sale) == Admittance(until_ms=opens_at + 7 + 5 * MINUTE_MS)


def test_no_admission_outlasts_the_sale(sale: Sale) -> None:
    sale.under(admission=rules()).open_sale(closes_at_ms=NOW_MS + 5)
    assert admit(sale).until_ms == NOW_MS + 5
    sale.set_time(NOW_MS + 5)
    assert refused(sale) == ("closed", 0.0)


def test_nobody_is_admitted_to_what_cannot_be_had(sale: Sale) -> None:
    sale.under(admission=rules())
    assert refused(sale) == ("unknown_item", 0.0)
    sale.open_sale(total=1)
    order = sale.order_of("bob")
    assert refused(sale) == ("sold_out", 0.0)
    sale.settle(order, "cancelled")
    assert admit(sale).refusal is None
    sale.switch("paused")
    assert refused(sale)[0] == "unavailable"
    sale.switch("closed")
    assert refused(sale) == ("closed", 0.0)


def test_a_lost_or_damaged_item_is_not_called_unknown(sale: Sale) -> None:
    sale.open_sale()
    sale.order_of()
    sale.ask("HDEL", sale.key("item"), "free")
    assert refused(sale)[0] == "unavailable"
    sale.ask("DEL", sale.key("item"))
    assert refused(sale)[0] == "unavailable"


def test_wishes_are_rated_by_buyer_and_by_address(sale: Sale) -> None:
    sale.under(admission=rules(buyer_rate=Rate(1, 60.0, 2), address_rate=Rate(1, 10.0, 3))).open_sale()
    assert [admit(sale).refusal for _ in range(2)] == [None, None]
    assert refused(sale) == ("rate_limited", 60.0)
    assert admit(sale, "bob").refusal is None
    told = admit(sale, "cid").refusal
    assert told is not None
    assert (told.scope, told.retry_after) == ("address", 10.0)
    assert admit(sale, "cid", "192.0.2.2").refusal is None


def test_wishes_and_purchases_have_buckets_of_their_own(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 1), admission=rules(buyer_rate=Rate(1, 60.0, 1))).open_sale()
    assert admit(sale).refusal is None
    sale.order_of()


def test_a_wish_changes_nothing_of_the_item(sale: Sale) -> None:
    sale.under(admission=rules(buyer_rate=Rate(1, 60.0, 1))).open_sale()
    before = sale.everything()
    admit(sale)
    after = {name: value for name, value in sale.everything().items() if b":rate:" not in name}
    assert after == before


def test_an_unverified_item_admits_nobody(sale: Sale) -> None:
    sale.open_sale()
    sale.ask("HSET", sale.key("item"), "verified", "another")
    assert refused(sale)[0] == "unavailable"
