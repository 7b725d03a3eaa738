"""The operator's API: what it answers, to whom, and by which door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from settle_site import KEY, TOKEN, Answer, Shop, ask
from settle_storefront import Storefront
from stack import Redis
from stack.ports import free_port

from seckill_sidecar.clock import SystemClock, order_ids
from seckill_sidecar.model import Event, Order, State
from seckill_sidecar.wire.tokens import Keyring, SigningKey

new_id = order_ids(SystemClock())
now = SystemClock().wall
PROBLEM = "application/problem+json"


def standing(answer: Answer) -> tuple[int, str, str]:
    """Status, outcome and state that were told."""
    return answer.status, answer.json["outcome"], answer.json["state"]


# -- what it answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["paid", "cancelled"])
def test_an_order_is_settled_once_and_told_so_again(shop: Shop, state: str) -> None:
    order = shop.order()
    answer = shop.tell(order.id, state)
    assert standing(answer) == (200, "settled", state)
    assert answer.json["order"] == order.id
    assert answer.json["buyer"] == order.buyer
    assert standing(shop.tell(order.id, state)) == (200, "already", state)
    assert shop.state(order) == state


@pytest.mark.parametrize(("first", "then"), [("paid", "cancelled"), ("cancelled", "cancelled")])
def test_a_final_state_stands(shop: Shop, first: str, then: str) -> None:
    order = shop.order()
    shop.tell(order.id, first)
    answer = shop.tell(order.id, then)
    assert standing(answer) == ((200, "already", first) if first == then else (409, "refused", first))
    assert shop.state(order) == first


def test_who_pays_too_late_is_told_so(shop: Shop) -> None:
    order = shop.expired_order()
    answer = shop.tell(order.id, "paid")
    assert standing(answer) == (409, "late", "expired")
    assert answer.value("Content-Type") == PROBLEM
    assert standing(shop.tell(order.id, "paid")) == (409, "refused", "expired")
    assert shop.view(order.item).paid == 0


def test_who_cancels_what_has_expired_is_told_so(shop: Shop) -> None:
    order = shop.expired_order()
    assert standing(shop.tell(order.id, "cancelled")) == (409, "refused", "expired")


@pytest.mark.parametrize("state", ["paid", "cancelled"])
def test_an_unknown_order_is_not_found_and_nothing_changes(shop: Shop, state: str) -> None:
    sku = shop.open_sale()
    before = shop.view(sku)
    assert shop.tell(new_id(sku), state).status == 404
    assert (shop.view(sku), shop.outbox(sku)) == (before, [])


def test_of_an_item_that_the_ledger_does_not_know_nothing_is_said_for_sure(shop: Shop) -> None:
    answer = shop.tell(new_id("lost-or-never-loaded"), "paid")
    assert answer.status == 503
    assert int(answer.value("Retry-After")) > 0


@pytest.mark.parametrize("order_id", ["x", "sku~short", "%00", "a~" + "0" * 27, "sku~01jd8z5v0n3q6w9x2y4t7r1kgm"])
def test_what_is_no_order_id_is_told_so(shop: Shop, order_id: str) -> None:
    answers = [shop.tell(order_id, "paid"), shop.tell(order_id, "cancelled")]
    assert [(answer.status, answer.value("Content-Type")) for answer in answers] == [(422, PROBLEM)] * 2


@pytest.mark.parametrize(
    ("body", "reason"), [(b"", "operator"), (b"{}", "operator"), ('{"reason": "bank 支付"}'.encode(), "bank 支付")]
)
def test_the_reason_is_kept_with_the_event(shop: Shop, body: bytes, reason: str) -> None:
    order = shop.order()
    assert shop.tell(order.id, "paid", body).status == 200
    assert Event.decode(shop.outbox(order.item)[-1].body).reason == reason


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"reason": 1}', 400),
        (b'{"reason": "a\\nb"}', 400),
        (b'{"reason": "\\ud800"}', 400),
        (b'{"reason": "%s"}' % (b"x" * 201), 400),
        (b'{"reason": "a", "reason": "b"}', 400),
        (b'{"amount": 5}', 400),
        (b" " * 5000, 413),
    ],
)
def test_a_bad_body_changes_nothing(shop: Shop, body: bytes, status: int) -> None:
    order = shop.order()
    answer = shop.tell(order.id, "paid", body)
    assert (answer.status, answer.value("Content-Type")) == (status, PROBLEM)
    assert shop.state(order) is State.HELD


def test_a_form_is_not_what_it_takes(shop: Shop) -> None:
    order = shop.order()
    answer = shop.tell(order.id, "paid", b"reason=x", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status, shop.state(order)) == (415, State.HELD)


def test_an_order_is_shown_as_it_stands(shop: Shop) -> None:
    order = shop.order()
    answer = look(shop, f"/orders/{order.id}")
    assert (answer.status, answer.json["state"], answer.json["buyer"]) == (200, "held", order.buyer)
    assert answer.value("Cache-Control") == "no-store"
    assert look(shop, f"/orders/{new_id(order.item)}").status == 404
    assert look(shop, "/orders/x").status == 422


def look(shop: Shop, path: str, **headers: str) -> Answer:
    """Ask with the token."""
    return ask(shop.sidecar.operator, path, headers={"Authorization": f"Bearer {TOKEN}", **headers}, method="GET")


def test_while_the_ledger_is_down_nobody_is_told_anything_false(shop: Shop, redis_server: Redis) -> None:
    order = shop.order()
    redis_server.pause()
    try:
        answers = [shop.tell(order.id, "paid"), look(shop, f"/orders/{order.id}")]
    finally:
        redis_server.resume()
    assert [answer.status for answer in answers] == [503, 503]
    assert all(answer.value("Retry-After") for answer in answers)
    assert shop.state(order) in (State.HELD, State.PAID)


# -- to whom -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 403),
        ("Bearer", 403),
        ("Bearer ", 403),
        (f"Bearer {TOKEN}x", 403),
        (f"Bearer {TOKEN[:-1]}", 403),
        (f"Basic {TOKEN}", 403),
        (TOKEN, 403),
        (f"Bearer {KEY}", 403),
        ("Bearer \xff", 403),
    ],
)
def test_without_the_token_nothing_is_told_or_changed(shop: Shop, header: str | None, status: int) -> None:
    order = shop.order()
    headers = {} if header is None else {"Authorization": header}
    answers = [
        ask(shop.sidecar.operator, path, headers=headers, method=method)
        for method, path in (
            ("POST", f"/orders/{order.id}/paid"),
            ("POST", "/orders/x/cancelled"),
            ("GET", f"/orders/{order.id}"),
        )
    ]
    assert {(answer.status, answer.value("Content-Type")) for answer in answers} == {(status, PROBLEM)}
    assert not any(order.buyer in answer.body.decode() for answer in answers)
    assert shop.state(order) is State.HELD


def signed(
    shop: Shop, order: Order, body: bytes = b"", at: float = 0.0, secret: str = KEY, name: str = "new", **changed: Any
) -> Answer:
    """Ask for a payment, signed at ``at`` seconds from now; ``changed`` is what happens to it on its way."""
    path = f"/orders/{order.id}/paid"
    keyring = Keyring([SigningKey(name, secret.encode())])
    headers = dict(keyring.request_headers("POST", path, body, now() + at))
    headers |= {"Content-Type": "application/json"} | changed.get("headers", {})
    return ask(shop.sidecar.operator, changed.get("path", path), changed.get("body", body), headers)


@pytest.mark.parametrize("at", [-50, 0, 50])
def test_a_request_signed_with_a_key_of_the_site_is_let_in(shop: Shop, at: float) -> None:
    order = shop.order()
    body = b'{"reason": "signed"}'
    assert standing(signed(shop, order, body, at)) == (200, "settled", "paid")
    assert standing(signed(shop, order, body, at)) == (200, "already", "paid")


@pytest.mark.parametrize("at", [-3600, -65, 65, 3600])
def test_a_stale_signature_is_worth_nothing(shop: Shop, at: float) -> None:
    order = shop.order()
    answer = signed(shop, order, at=at)
    assert (answer.status, shop.state(order)) == (403, State.HELD)
    assert "clocks" in answer.json["detail"]


def test_a_signature_holds_for_exactly_what_was_signed(shop: Shop) -> None:
    order, other = shop.order(), shop.order()
    path = f"/orders/{order.id}/paid"
    body = b'{"reason": "a"}'
    headers = dict(Keyring([SigningKey("new", KEY.encode())]).request_headers("POST", path, body, now()))
    headers["Content-Type"] = "application/json"
    forged = {
        "another body": ask(shop.sidecar.operator, path, b'{"reason": "b"}', headers),
        "no body": ask(shop.sidecar.operator, path, b"", headers),
        "another action": ask(shop.sidecar.operator, f"/orders/{order.id}/cancelled", body, headers),
        "another order": ask(shop.sidecar.operator, f"/orders/{other.id}/paid", body, headers),
        "another spelling": ask(shop.sidecar.operator, path.replace("~", "%7E"), body, headers),
        "another method": ask(shop.sidecar.operator, path.removesuffix("/paid"), body, headers, method="GET"),
    }
    assert {name: answer.status for name, answer in forged.items()} == dict.fromkeys(forged, 403)
    assert (shop.state(order), shop.state(other)) == (State.HELD, State.HELD)


@pytest.mark.parametrize(
    "forgery",
    [
        {"secret": "some other secret of sixteen"},
        {"name": "gone"},
        {"at": -3600, "headers": {"X-Seckill-Time": "now"}},
        {"headers": {"X-Seckill-Time": ""}},
        {"headers": {"X-Seckill-Key": ""}},
        {"headers": {"X-Seckill-Signature": ""}},
        {"headers": {"X-Seckill-Signature": "\xff"}},
        {"headers": {"X-Seckill-Signature": "0" * 64}},
    ],
    ids=str,
)
def test_a_forged_signature_is_worth_nothing(shop: Shop, forgery: dict[str, Any]) -> None:
    order = shop.order()
    if forgery.get("headers", {}).get("X-Seckill-Time") == "now":
        forgery = forgery | {"headers": {"X-Seckill-Time": str(int(now()))}}
    answer = signed(shop, order, **forgery)
    assert (answer.status, answer.value("Content-Type")) == (403, PROBLEM)
    assert shop.state(order) is State.HELD


def test_a_signature_for_the_storefront_is_none_for_the_operator(shop: Shop) -> None:
    order = shop.order()
    headers = dict(shop.site.keyring.storefront_headers(order, now()))
    answer = ask(shop.sidecar.operator, f"/orders/{order.id}/paid", headers=headers)
    assert (answer.status, shop.state(order)) == (403, State.HELD)


# -- by which door -----------------------------------------------------------------------------------


def test_it_is_not_there_for_the_public(shop: Shop, storefront: Storefront) -> None:
    order = shop.order()
    host = ":".join(map(str, shop.sidecar.operator))  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": host}
    for path in (f"/orders/{order.id}/paid", "/healthz"):
        assert ask(shop.sidecar.public, path, headers=headers).body == b"the shop's own words"
        assert storefront.seen[-1].target == path
    under_ours = ask(shop.sidecar.public, f"/seckill/orders/{order.id}/paid", headers=headers)
    assert (under_ours.status, shop.state(order)) == (404, State.HELD)


def test_the_public_is_not_there_for_the_operator(shop: Shop, storefront: Storefront) -> None:
    sku = shop.open_sale()
    seen = len(storefront.seen)
    headers = {"X-User": "ann", "Authorization": f"Bearer {TOKEN}"}
    for path in (f"/buy/{sku}", "/", "/ready", "/payment/notify"):
        assert ask(shop.sidecar.operator, path, headers=headers).status == 404
    assert (len(storefront.seen), shop.view(sku).held) == (seen, 0)


def test_health_is_told_to_all_who_reach_that_door(shop: Shop) -> None:
    answer = ask(shop.sidecar.operator, "/healthz", method="GET")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_on_unix_sockets_the_doors_are_told_apart_too(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(sockets=True)
    order = shop.order()
    public = ask(shop.sidecar.public, f"/orders/{order.id}/paid", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (public.body, shop.state(order)) == (b"the shop's own words", State.HELD)
    assert standing(shop.tell(order.id, "paid")) == (200, "settled", "paid")


def test_without_a_token_there_is_no_door(open_shop: Callable[..., Shop]) -> None:
    shut = open_shop(operator={"listen": f"127.0.0.1:{free_port()}"})
    assert ask(shut.sidecar.public, "/healthz").body == b"the shop's own words"
    assert "operator's API is off" in shut.sidecar.log.read_text()
    with pytest.raises(ConnectionRefusedError):
        ask(shut.sidecar.operator, "/healthz", method="GET")
