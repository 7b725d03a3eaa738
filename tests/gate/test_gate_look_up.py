"""How an order stands is told to its buyer only."""

from __future__ import annotations

import pytest
from gate_client import Answer, ask
from gate_site import Shop, told

from seckill_sidecar.clock import SystemClock, order_ids
from seckill_sidecar.model import Purchase, Verdict

new_id = order_ids(SystemClock())


def test_the_buyer_sees_the_order(shop: Shop) -> None:
    order = shop.buy(shop.open_sale(), "alice").json["order"]
    answer = shop.look_up(f"/seckill/orders/{order}", "X-User: alice")
    assert (answer.status, answer.json["order"], answer.json["state"]) == (200, order, "held")
    assert answer.value("Cache-Control") == "no-store"
    assert "buyer" not in answer.json


def test_a_foreign_order_looks_like_none(shop: Shop) -> None:
    sku = shop.open_sale()
    order = shop.buy(sku, "alice").json["order"]
    foreign, none = (shop.look_up(f"/seckill/orders/{order_id}", "X-User: bob") for order_id in (order, new_id(sku)))
    assert foreign.status == none.status == 404
    assert (undated(foreign), foreign.body) == (undated(none), none.body)


def undated(answer: Answer) -> list[tuple[str, str]]:
    return [header for header in answer.headers if header[0].lower() != "date"]


def test_nobody_in_particular_is_asked_to_sign_in(shop: Shop) -> None:
    order = shop.buy(shop.open_sale(), "alice").json["order"]
    assert shop.look_up(f"/seckill/orders/{order}").status == 401


def test_the_orders_token_shows_it_to_its_bearer(shop: Shop) -> None:
    answer = shop.buy(shop.open_sale(), "alice")
    assert shop.look_up(answer.json["poll"]).json["order"] == answer.json["order"]


@pytest.mark.parametrize(
    "token",
    ["x", "v1.new.9999999999.eA.eA", "%C3%A9", "%FF%FE", "a.b.c.d.e.f", "v1.gone.9999999999.eA.eA", "v1.new.1.eA.eA"],
)
def test_a_forged_token_is_forbidden(shop: Shop, token: str) -> None:
    order = shop.buy(shop.open_sale(), "alice").json["order"]
    answer = shop.look_up(f"/seckill/orders/{order}?token={token}", "X-User: alice")
    assert (answer.status, answer.value("Content-Type")) == (403, "application/problem+json")
    assert order not in answer.text


def test_a_token_opens_its_own_order_only(shop: Shop) -> None:
    first, second = (shop.buy(shop.open_sale(), "alice").json["order"] for _ in range(2))
    assert shop.look_up(f"/seckill/orders/{second}?token={shop.order_token(first, 'alice')}").status == 403
    assert shop.look_up(f"/seckill/orders/{first}?token={shop.buyer_token('alice')}").status == 403
    assert shop.look_up(f"/seckill/orders/{first}?token={shop.order_token(first, 'bob')}").status == 404


@pytest.mark.parametrize("order_id", ["x", "sku~short", "../../buy/x", "%00", "a~" + "0" * 27, "*", "{sku}~x"])
def test_what_is_no_order_id_is_not_found(shop: Shop, order_id: str) -> None:
    assert shop.look_up(f"/seckill/orders/{order_id}", "X-User: alice").status == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_orders_are_only_looked_at(shop: Shop, method: str) -> None:
    order = shop.buy(shop.open_sale(), "alice").json["order"]
    assert ask(shop.address, f"/seckill/orders/{order}", "X-User: alice", method=method).status == 405
    assert shop.seen(order) == []


def test_our_addresses_never_reach_the_storefront(shop: Shop) -> None:
    for path in ("/seckill/", "/seckill/orders", "/seckill/other-word", "/seckill/../buy/other-word", "/%73eckill/x"):
        assert shop.look_up(path).status in (400, 404)
    assert shop.seen("seckill/") == shop.seen("other-word") == []


def test_a_final_no_stays_no(shop: Shop) -> None:
    """Who asks with the order's own token, and is told that it did not go through, can rely on it."""
    sku = shop.open_sale()
    order_id = new_id(sku)
    path = f"/seckill/orders/{order_id}?token={shop.order_token(order_id, 'alice')}"
    answer = shop.look_up(path)
    assert answer.status == 404
    assert "will not" in answer.json["detail"]
    late = shop.ledger.reserve(Purchase(order_id, sku, "alice", 1), shop.deadline())
    assert late.verdict is Verdict.UNAVAILABLE
    assert (shop.look_up(path).status, shop.view(sku).held) == (404, 0)


def test_asking_without_the_token_does_not_stand_in_an_orders_way(shop: Shop) -> None:
    sku = shop.open_sale()
    order_id = new_id(sku)
    assert shop.look_up(f"/seckill/orders/{order_id}", "X-User: alice").status == 404
    late = shop.ledger.reserve(Purchase(order_id, sku, "alice", 1), shop.deadline())
    assert late.verdict is Verdict.ACCEPTED


def test_asking_for_an_order_of_an_item_that_nobody_loaded_leaves_nothing_behind(shop: Shop) -> None:
    sku = "never-loaded"
    order_id = new_id(sku)
    token = shop.order_token(order_id, "alice")
    assert shop.look_up(f"/seckill/orders/{order_id}?token={token}").status in (404, 503)
    assert told(shop.buy(sku)) == "unknown_item"


def test_head_tells_what_get_would_without_its_body(shop: Shop) -> None:
    order = shop.buy(shop.open_sale(), "alice").json["order"]
    told = ask(shop.address, f"/seckill/orders/{order}", "X-User: alice", method="HEAD")
    assert (told.status, told.body) == (200, b"")
