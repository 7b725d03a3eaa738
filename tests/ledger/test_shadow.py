"""An item's shadow: what would have been sold, and nothing that anybody else would find."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_words import CLOCK, NOW_MS, PREFIX, SKU, Sale, new_order_id, within

from seckill_sidecar.adapters.ledger import Keys, LedgerRules, ShadowLedger
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Decision, Item, ItemView, Purchase, Rate

pytestmark = pytest.mark.gevent_too


class Shadow:
    """The shadow beside a sale."""

    def __init__(self, sale: Sale, **rules: Any) -> None:
        self.sale = sale
        self.ledger = ShadowLedger(sale.line, sale.keys, LedgerRules(**rules))

    def buy(self, buyer: str = "ann", quantity: int = 1, **fields: Any) -> Decision:
        fields.setdefault("order_id", new_order_id())
        return self.ledger.reserve(Purchase(item=SKU, buyer=buyer, quantity=quantity, **fields), within())

    def view(self) -> ItemView:
        view = self.ledger.item(SKU, within())
        assert view is not None
        assert view.balanced
        return view

    def names(self) -> set[str]:
        """All keys of the server that are not the sale's own."""
        return {key.decode() for key in self.sale.ask("KEYS", "*") if b":shadow:" in key}


@pytest.fixture
def shadow(sale: Sale) -> Shadow:
    sale.open_sale(total=3, per_buyer=2)
    return Shadow(sale)


def test_it_decides_as_the_item_would(sale: Sale, shadow: Shadow) -> None:
    purchases = [("ann", 1, "a"), ("ann", 1, "a"), ("ann", 2, "b"), ("bob", 2, "c"), ("cid", 1, "d"), ("bob", 1, "c")]
    told = [shadow.buy(buyer, quantity, key=key).verdict for buyer, quantity, key in purchases]
    assert told == [sale.buy(buyer, quantity, key=key).verdict for buyer, quantity, key in purchases]
    assert [str(verdict) for verdict in told] == [
        "accepted", "replayed", "limit_reached", "accepted", "sold_out", "conflict",
    ]  # fmt: skip


def test_nothing_of_the_item_itself_changes(sale: Sale, shadow: Shadow) -> None:
    before = sale.everything()
    for buyer in ("ann", "bob", "cid", "dan"):
        shadow.buy(buyer, key=buyer)
    after = {name: value for name, value in sale.everything().items() if b":shadow:" not in name}
    assert after == before
    assert sale.ledger.items(within()) == [SKU]


def test_what_it_leaves_behind_is_gone_after_days(shadow: Shadow) -> None:
    for n in range(5):
        shadow.buy(f"buyer-{n}", key=f"key-{n}")
    lives = {name: shadow.sale.ask("PTTL", name) for name in shadow.names()}
    assert len(lives) >= 6
    assert {name: ms for name, ms in lives.items() if not 0 < ms <= 3 * 86_400_000} == {}


def test_no_event_waits_to_be_handed_off(shadow: Shadow) -> None:
    for n in range(3):
        assert shadow.buy(f"buyer-{n}").verdict == "accepted"
        assert shadow.sale.ask("EXISTS", shadow.sale.keys.shadow.of(SKU, "outbox")) == 0


def test_a_refusal_writes_nothing(shadow: Shadow) -> None:
    shadow.buy("ann", 2)
    before = changes(shadow)
    assert shadow.buy("ann", 2).verdict == "limit_reached"
    assert changes(shadow) == before


def changes(shadow: Shadow) -> bytes:
    """How many changes the server has counted."""
    info: bytes = shadow.sale.ask("INFO", "persistence")
    return next(line for line in info.splitlines() if line.startswith(b"rdb_changes_since_last_save"))


def test_it_follows_what_is_done_to_the_item(sale: Sale, shadow: Shadow) -> None:
    shadow.buy("ann", 2)
    sale.switch("closed")
    assert shadow.buy("bob").verdict == "closed"
    sale.switch("paused")
    assert (shadow.buy("bob").verdict, shadow.buy("bob").reason) == ("unavailable", "paused")
    sale.switch("open")
    sale.add(4)
    assert shadow.buy("bob", 2).verdict == "accepted"
    assert (shadow.view().total, shadow.view().free) == (7, 3)


def test_what_was_really_sold_is_not_taken_off_it(sale: Sale, shadow: Shadow) -> None:
    sale.order_of("zoe", 2)
    assert [shadow.buy(f"buyer-{n}").verdict for n in range(4)] == ["accepted"] * 3 + ["sold_out"]
    assert sale.item().free == 1


def test_a_new_epoch_starts_it_anew(sale: Sale, shadow: Shadow) -> None:
    for n in range(3):
        shadow.buy(f"buyer-{n}")
    sale.ledger.load(Item(SKU, 2, per_buyer=2), within())
    assert shadow.buy("buyer-0", 2).verdict == "accepted"
    assert (shadow.view().epoch, shadow.view().free) == (2, 0)


def test_it_can_be_started_anew_by_hand(shadow: Shadow) -> None:
    shadow.buy("ann", 2)
    shadow.ledger.forget(SKU, within())
    assert shadow.ledger.item(SKU, within()) is None
    assert shadow.buy("ann", 2).verdict == "accepted"


def test_an_item_that_is_not_there_has_none(sale: Sale, shadow: Shadow) -> None:
    shadow.buy("ann")
    sale.ask("DEL", *(key for key in sale.ask("KEYS", "*") if b":shadow:" not in key))
    assert shadow.buy("bob").verdict == "unknown_item"
    assert {name for name in shadow.names() if "binding" not in name} == set()


def test_a_damaged_item_is_not_guessed_at(sale: Sale, shadow: Shadow) -> None:
    sale.ask("HSET", sale.key("item"), "total", "many")
    assert shadow.buy("ann").verdict == "unavailable"
    sale.ask("DEL", sale.key("item"))
    sale.ask("SET", sale.key("item"), "a text")
    with pytest.raises(StoreError):
        shadow.buy("ann")


def test_a_restarted_server_needs_no_witness_for_it(sale: Sale, shadow: Shadow) -> None:
    shadow.buy("ann")
    sale.ask("HSET", sale.keys.shadow.of(SKU, "item"), "verified", "f" * 40)
    sale.ask("HSET", sale.key("item"), "verified", "f" * 40)
    assert (sale.buy("bob").verdict, shadow.buy("bob").verdict) == ("unavailable", "accepted")


def test_a_server_that_has_forgotten_the_scripts_is_given_them_again(sale: Sale, shadow: Shadow) -> None:
    sale.ask("SCRIPT", "FLUSH")
    assert shadow.buy("ann").verdict == "accepted"
    sale.ask("SCRIPT", "FLUSH")
    assert shadow.buy("bob").verdict == "accepted"
    assert shadow.view().free == 1


def test_its_rates_are_its_own(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60, 1)).open_sale()
    shadow = Shadow(sale, buyer_rate=Rate(1, 60, 1))
    shadow.ledger.now_us = str(NOW_MS * 1000)
    assert [shadow.buy("ann").verdict for _ in range(2)] == ["accepted", "rate_limited"]
    assert sale.buy("ann").verdict == "accepted"


def test_asking_twice_for_one_order_takes_one_unit(shadow: Shadow) -> None:
    order_id = new_order_id()
    assert [shadow.buy("ann", order_id=order_id).verdict for _ in range(2)] == ["accepted"] * 2
    assert shadow.view().free == 2
    assert shadow.ledger.seal(order_id, Deadline.after(1, CLOCK)) is None


def test_its_keys_share_the_items_slot() -> None:
    names = [Keys(PREFIX).shadow.of(SKU, part) for part in ("item", "buyers", "orders")]
    assert all(f"{{{SKU}}}" in name for name in names)
    assert set(names).isdisjoint(Keys(PREFIX).of(SKU, part) for part in ("item", "buyers", "orders"))
