"""What the log of a running site tells: each purchase that was decided, and nobody's name."""

from __future__ import annotations

import json
import secrets
from typing import Any

from gate_client import ask
from gate_site import Shop, told
from stack import eventually

from seckill_sidecar.clock import SystemClock, order_ids


def decisions(shop: Shop, sku: str) -> list[dict[str, Any]]:
    """The log's lines about purchases of this item."""
    lines = [json.loads(line) for line in shop.plug.said().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("item") == sku and line["message"] == "decided"]


def test_each_decision_is_a_line(shop: Shop) -> None:
    sku = shop.open_sale(total=1)
    assert [told(shop.buy(sku, "alice")), told(shop.buy(sku, "bob"))] == ["accepted", "sold_out"]
    first, second = eventually(lambda: two(decisions(shop, sku)), what="two lines")
    (order,) = shop.orders(sku)
    assert (first["verdict"], first["route"], first["order_id"], first["level"]) == (
        "accepted",
        "plain",
        order.id,
        "info",
    )
    assert (second["verdict"], second["level"]) == ("sold_out", "debug")


def test_a_line_tells_how_far_a_purchase_came_and_in_whose_trace(shop: Shop) -> None:
    sku, trace = shop.open_sale(total=1), secrets.token_hex(16)
    shop.buy(sku, "alice", f"traceparent: 00-{trace}-00f067aa0ba902b7-00")
    shop.buy(sku, "bob", f"traceparent: 00-{'0' * 32}-00f067aa0ba902b7-00")
    shop.buy(sku, "bob")
    first, second, third = eventually(lambda: some(decisions(shop, sku), 3), what="three lines")
    stages = ["route", "room", "identify", "local", "challenge", "reserve", "hand_off", "reply"]
    assert list(first["stages"]) == stages
    assert list(second["stages"]) == [*stages[:6], "reply"]
    assert list(third["stages"]) == [*stages[:4], "reply"]  # remembered as sold out
    assert first["trace"] == trace
    assert "trace" not in second
    alice, bob = map(shop.site.keyring.pseudonym, ("alice", "bob"))
    assert (first["buyer"], second["buyer"], third["buyer"]) == (alice, bob, bob)


def test_addresses_are_told_of_those_only_who_ask_without_sense(shop: Shop) -> None:
    sku, net = shop.open_sale(total=1), f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    shop.buy(sku, "alice", f"X-Real-IP: {net}.1")
    shop.buy(sku, "bob", f"X-Real-IP: {net}.2")
    shop.buy(sku, "", f"X-Real-IP: {net}.3")
    shop.buy(sku, "carol", f"X-Real-IP: {net}.4", path="/plain/%20")
    plenty = shop.open_sale(total=99)
    answers = [told(shop.buy(plenty, "dave", f"X-Real-IP: {net}.5")) for _ in range(7)]
    assert answers[-1] == "rate_limited"
    found = eventually(lambda: some([line for line in abuses(shop) if line["address"].startswith(net)], 3))
    assert [(line["verdict"], line["address"]) for line in found] == [
        ("unidentified", f"{net}.3"), ("invalid", f"{net}.4"), ("rate_limited", f"{net}.5"),
    ]  # fmt: skip
    assert not any(f"{net}.{number}" in shop.plug.said() for number in (1, 2))


def abuses(shop: Shop) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in shop.plug.said().splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "seckill_sidecar.abuse"]


def some(found: list[dict[str, Any]], count: int) -> list[dict[str, Any]] | None:
    return found if len(found) == count else None


def two(found: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return found if len(found) == 2 else None


def test_no_name_no_token_and_no_key_is_in_the_log(shop: Shop) -> None:
    sku, name, key = shop.open_sale(), f"name-{secrets.token_hex(8)}", secrets.token_hex(8)
    token, forged = shop.buyer_token(name), shop.buyer_token(name)[:-1] + "x"
    answer = shop.buy(sku, name, key=key)
    for path in ("/buy/{sku}", "/BUY/{sku}", "/redirect/{sku}"):
        shop.buy(sku, name, "X-Act: 500", key=f"{key}-{path[1:4]}", path=path)
    for cookie in (token, forged):
        ask(shop.address, f"/signed/{sku}", f"Cookie: seckill_buyer={cookie}")
    unknown = order_ids(SystemClock())(sku)
    for poll in (answer.json["poll"], f"/seckill/orders/{unknown}?token={shop.order_token(unknown, name)}"):
        shop.look_up(poll)
    eventually(lambda: len(decisions(shop, sku)) >= 4, what="the purchases are in the log")
    said = shop.plug.said()
    secrets_ = [name, key, token, forged, token.split(".")[3], answer.json["poll"].partition("token=")[2]]
    assert [secret for secret in secrets_ if secret in said] == []
