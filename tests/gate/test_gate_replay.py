"""One idempotency key makes one order, however often it is sent."""

from __future__ import annotations

import secrets

import pytest
from gate_client import FORM, ask
from gate_site import Shop, all_at_once, told

from seckill_sidecar.model import State


@pytest.fixture
def key() -> str:
    """An idempotency key that nobody used."""
    return secrets.token_hex(8)


def test_the_same_key_gets_the_same_order(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    first, again = (shop.buy(sku, "alice", key=key) for _ in range(2))
    assert (first.status, told(first)) == (201, "accepted")
    assert (again.status, told(again)) == (200, "replayed")
    assert again.json["order"] == first.json["order"]
    assert shop.look_up(again.json["poll"]).json["state"] == "held"
    assert (shop.view(sku).held, len(shop.orders(sku)), len(shop.books(sku).outbox) <= 1) == (1, 1, True)


def test_a_quoted_key_is_the_same_key(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    first = shop.buy(sku, "alice", key=key)
    again = shop.buy(sku, "alice", key=f'"{key}"')
    assert again.json["order"] == first.json["order"]


def test_a_key_is_its_buyers_own(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    orders = {shop.buy(sku, buyer, key=key).json["order"] for buyer in ("alice", "bob")}
    assert len(orders) == shop.view(sku).held == 2


def test_twenty_at_once_with_one_key_make_one_order(shop: Shop, key: str) -> None:
    sku = shop.open_sale(total=100)
    answers = all_at_once([lambda: shop.buy(sku, "alice", key=key)] * 20)
    assert sorted(told(answer) for answer in answers) == ["accepted"] + ["replayed"] * 19
    assert len({answer.json["order"] for answer in answers}) == 1
    assert (shop.view(sku).held, len(shop.orders(sku))) == (1, 1)


def test_a_replay_never_reaches_the_storefront(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    first, again = (shop.buy(sku, "alice", key=key, path="/buy/{sku}") for _ in range(2))
    assert (told(first), told(again)) == ("storefront", "replayed")
    assert len(shop.seen(sku)) == 1


def test_a_replay_redirects_to_the_same_order(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    answers = [shop.buy(sku, "alice", key=key, path="/redirect/{sku}") for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert len({answer.value("Location").partition("&token")[0] for answer in answers}) == 1


def test_a_key_works_after_the_item_is_sold_out(shop: Shop, key: str) -> None:
    sku = shop.open_sale(total=1)
    first = shop.buy(sku, "alice", key=key)
    assert [told(shop.buy(sku)) for _ in range(2)] == ["sold_out"] * 2
    assert shop.buy(sku, "alice", key=key).json["order"] == first.json["order"]
    assert told(shop.buy(sku, "bob", key=f"{key}-2")) == "sold_out"


@pytest.mark.parametrize("changed", ["quantity", "item"])
def test_a_key_with_another_content_is_a_conflict(shop: Shop, key: str, changed: str) -> None:
    sku, other = shop.open_sale(), shop.open_sale()
    assert shop.buy(sku, "alice", key=key, quantity=1, path="/buy/{sku}").status == 201
    before = shop.books(sku), shop.books(other)
    again = shop.buy(
        other if changed == "item" else sku,
        "alice",
        key=key,
        quantity=2 if changed == "quantity" else 1,
        path="/buy/{sku}",
    )
    assert (again.status, told(again)) == (422, "conflict")
    assert (shop.books(sku), shop.books(other)) == before


def test_a_replay_of_a_cancelled_order_does_not_say_that_the_buyer_has_it(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    first = shop.buy(sku, "alice", key=key)
    shop.ledger.settle(first.json["order"], State.CANCELLED, "changed his mind", shop.deadline())
    again = shop.buy(sku, "alice", key=key)
    assert (again.status, told(again), again.json["state"]) == (409, "replayed", "cancelled")
    assert "have" not in again.json["title"]
    assert shop.buy(sku, "alice", key=key, path="/redirect/{sku}").status == 409
    assert shop.view(sku).held == 0
    assert shop.buy(sku, "alice", key=f"{key}-2").status == 201


def test_a_replay_of_a_paid_order_says_so(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    first = shop.buy(sku, "alice", key=key)
    shop.ledger.settle(first.json["order"], State.PAID, "", shop.deadline())
    again = shop.buy(sku, "alice", key=key)
    assert (again.status, again.json["state"]) == (200, "paid")


def test_keys_from_a_query_field_and_from_another_header(shop: Shop, key: str) -> None:
    sku = shop.open_sale()
    by_query = [ask(shop.address, f"/q?sku={sku}&n=1&key={key}", "X-User: alice", method="GET") for _ in range(2)]
    by_header = [
        ask(shop.address, "/h", "X-User: bob", f"X-Sku: {sku}", "X-Quantity: 1", f"X-Key: {key}") for _ in range(2)
    ]
    assert [told(answer) for answer in by_query + by_header] == ["accepted", "replayed"] * 2


def test_a_form_sent_twice_without_a_key_is_two_orders(shop: Shop) -> None:
    sku = shop.open_sale()
    assert [shop.buy(sku, "alice", FORM, body=b"").status for _ in range(2)] == [201, 201]
    assert shop.view(sku).held == 2
