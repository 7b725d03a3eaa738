"""Watched routes: the storefront's own yes settles an order, and nothing else about the request changes."""

from __future__ import annotations

import json

import pytest
from settle_site import FORM, Shop, ask
from settle_storefront import Seen, Storefront
from stack import Redis, eventually

from seckill_sidecar.clock import SystemClock, order_ids
from seckill_sidecar.model import State

new_id = order_ids(SystemClock())


@pytest.mark.parametrize("status", [200, 201, 202])
def test_the_storefronts_yes_pays_the_order(shop: Shop, status: int) -> None:
    order = shop.order()
    assert shop.notify(order.id, status).status == status
    assert shop.state(order) is State.PAID
    assert [line["message"] for line in shop.said_of(order.id)] == ["settled"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 400, 402, 404, 409, 500, 502, 503])
def test_any_other_answer_settles_nothing(shop: Shop, status: int) -> None:
    order = shop.order()
    assert shop.notify(order.id, status).status == status
    assert shop.state(order) is State.HELD


@pytest.mark.parametrize(
    ("path", "status", "state"),
    [
        ("/payment/back", 200, "paid"),
        ("/payment/back", 302, "paid"),
        ("/payment/back", 303, "paid"),
        ("/payment/back", 301, "held"),
        ("/payment/back", 307, "held"),
        ("/payment/back", 403, "held"),
        ("/payment/moved", 200, "held"),
        ("/payment/moved", 303, "paid"),
    ],
)
def test_a_redirect_is_a_yes_only_where_the_route_says_so(shop: Shop, path: str, status: int, state: str) -> None:
    order = shop.order()
    assert shop.notify(order.id, status, path).status == status
    assert shop.state(order) == state


def test_request_and_answer_pass_through_untouched(shop: Shop, storefront: Storefront) -> None:
    order = shop.order()
    answer = shop.notify(order.id)
    assert storefront.seen[-1] == Seen("POST", "/payment/notify", f"order={order.id}&status=SUCCESS".encode())
    assert answer.body == b"the shop's own words"
    assert [value for name, value in answer.headers if name == "X-Twice"] == ["1", "2"]
    assert "Content-Length" not in dict(answer.headers)


def test_a_cancelled_order_gives_its_unit_back(shop: Shop) -> None:
    order = shop.order()
    assert ask(shop.sidecar.public, f"/my/{order.id}/cancel", method="GET").status == 200
    assert shop.state(order) is State.CANCELLED
    assert shop.view(order.item).free == 5


def test_the_order_may_stand_in_json(shop: Shop) -> None:
    order = shop.order()
    body = json.dumps({"data": {"order": order.id}}).encode()
    ask(shop.sidecar.public, "/api/paid", body, {"Content-Type": "application/json"})
    assert shop.state(order) is State.PAID


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/payment/notify", "order={order}&status=WAIT"),
        ("/payment/notify", "order={order}"),
        ("/payment/notify", "order={order}&order={order}&status=SUCCESS"),
        ("/payment/notify", "Order={order}&status=SUCCESS"),
        ("/payment/notify/", "order={order}&status=SUCCESS"),
        ("/Payment/notify", "order={order}&status=SUCCESS"),
        ("/payment/notify", "order={order}%00&status=SUCCESS"),
        ("/payment/notify", "order=&status=SUCCESS"),
        ("/payment/notify", "status=SUCCESS"),
        ("/payment/notify", "order={order}&status=SUCCESS&x=%ff"),
        ("/payment/notify", "order={order}&status=SUCCESS&" + "x" * 5000),
        ("/api/paid", '{{"data": {{"order": ["{order}"]}}}}'),
        ("/api/paid", '{{"data": "{order}"'),
    ],
)
def test_what_is_not_exactly_a_payment_of_one_order_settles_nothing(
    shop: Shop, storefront: Storefront, path: str, body: str
) -> None:
    order = shop.order()
    sent = body.format(order=order.id).encode()
    kind = FORM if path.startswith("/pay") else {"Content-Type": "application/json"}
    answer = ask(shop.sidecar.public, path, sent, kind)
    assert (answer.status, answer.body) == (200, b"the shop's own words")
    assert storefront.seen[-1].body == sent
    assert shop.state(order) is State.HELD


@pytest.mark.parametrize("order_id", ["1", "sku", "../x", "x" * 3000, "sku~01JD8Z5V0N3Q6W9X2Y4T7R1KG"])
def test_what_is_no_order_id_of_ours_is_the_storefronts_business(shop: Shop, order_id: str) -> None:
    assert shop.notify(order_id).status == 200


def test_an_unknown_order_changes_nothing(shop: Shop) -> None:
    sku = shop.open_sale()
    before = shop.view(sku)
    unknown = new_id(sku)
    assert shop.notify(unknown).status == 200
    assert (shop.view(sku), shop.outbox(sku)) == (before, [])
    assert [line["level"] for line in shop.said_of(unknown)] == ["warning"]


def test_an_order_of_an_item_that_nobody_loaded_changes_nothing(shop: Shop) -> None:
    foreign = new_id("of-another-shop")
    assert shop.notify(foreign).status == 200
    assert shop.ledger.item("of-another-shop", shop.deadline()) is None


def test_a_payment_told_twice_is_one(shop: Shop) -> None:
    order = shop.order()
    assert [shop.notify(order.id).status for _ in range(3)] == [200] * 3
    assert shop.state(order) is State.PAID
    assert len(shop.outbox(order.item)) == 2


def test_a_payment_of_a_cancelled_order_does_not_bring_it_back(shop: Shop) -> None:
    order = shop.order()
    ask(shop.sidecar.public, f"/my/{order.id}/cancel")
    assert shop.notify(order.id).status == 200
    assert shop.state(order) is State.CANCELLED
    assert "paid too late" in shop.said_of(order.id)[-1]["message"]


def test_a_late_payment_is_said_loudly_and_sent_on_as_a_case(shop: Shop) -> None:
    order = shop.expired_order()
    assert shop.notify(order.id).status == 200
    (line,) = shop.said_of(order.id)
    assert (line["level"], line["state"]) == ("warning", "expired")
    assert "give back the money" in line["message"]
    assert [json.loads(entry.body)["event"] for entry in shop.outbox(order.item)] == [
        "accepted",
        "expired",
        "late_payment",
    ]
    assert shop.view(order.item).free == 5


def test_a_purchase_is_no_payment(shop: Shop) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku).status == 201
    assert shop.view(sku).held == 1


def test_while_the_ledger_is_down_the_buyer_is_answered_and_the_order_is_settled_later(
    shop: Shop, redis_server: Redis
) -> None:
    order = shop.order()
    redis_server.pause()
    try:
        answer = shop.notify(order.id)
    finally:
        redis_server.resume()
    assert (answer.status, answer.body) == (200, b"the shop's own words")
    eventually(lambda: shop.state(order) is State.PAID, within=30, what="it is settled by itself")
    assert any(line["level"] == "error" and "not settled" in line["message"] for line in shop.said_of(order.id))


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"X-Original-URL": "/"}, ""),
        ({"X-Rewrite-URL": "/thanks"}, ""),
        ({"X-HTTP-Method-Override": "GET"}, ""),
        ({}, "&_method=get"),
        ({}, "&_METHOD=HEAD"),
    ],
)
def test_a_payment_that_names_another_page_settles_nothing(shop: Shop, fields: dict[str, str], body: str) -> None:
    """The shop's yes may be that other page's."""
    order = shop.order()
    form = f"order={order.id}&status=SUCCESS{body}".encode()
    assert ask(shop.sidecar.public, "/payment/notify", form, {**FORM, **fields}).status == 200
    assert shop.state(order) is State.HELD
