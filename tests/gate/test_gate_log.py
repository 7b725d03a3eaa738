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
