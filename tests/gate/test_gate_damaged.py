"""A ledger that lost something is refused as unavailable, logged, and never guessed at."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from gate_client import Answer
from gate_site import Shop, told
from stack import Redis, eventually

from seckill_sidecar.adapters.ledger import Keys

PARTS = ["item", "buyers", "orders", "keys", "due", "outbox", "rate:buyer:alice", "rate:address:127.0.0.1"]


def key_of(shop: Shop, sku: str, part: str) -> str:
    return Keys(shop.site.settings.ledger.prefix).of(sku, part)


def snapshot(redis_server: Redis, shop: Shop, sku: str) -> dict[str, Any]:
    """Everything that Redis holds of an item, byte for byte."""
    return {part: shop.ledger._line.ask("DUMP", key_of(shop, sku, part), deadline=shop.deadline()) for part in PARTS}


def expect_unavailable(shop: Shop, sku: str, buy: Callable[[], Answer]) -> None:
    """Every try is refused, and the log says why; it has a few such lines a second, so who is left out tries again."""

    def is_told() -> bool:
        answer = buy()
        assert (answer.status, told(answer)) == (503, "unavailable")
        assert answer.values("Retry-After")
        return eventually(lambda: complaint(shop, sku), 1.0)

    eventually(lambda: _soon(is_told), what="the refusal is in the log")


def _soon(predicate: Callable[[], bool]) -> bool:
    with suppress(TimeoutError):
        return predicate()
    return False


def complaint(shop: Shop, sku: str) -> bool:
    """Whether the log has a warning for this item, with a reason."""
    lines = [json.loads(line) for line in shop.plug.said().splitlines() if line.startswith("{") and sku in line]
    return any(line["level"] == "warning" and line["verdict"] == "unavailable" and line["reason"] for line in lines)


def test_a_flushed_script_cache_is_noticed_by_nobody(shop: Shop, redis_server: Redis) -> None:
    sku = shop.open_sale()
    for _ in range(2):
        assert redis_server.ask("SCRIPT FLUSH") == "+OK"
        assert shop.buy(sku).status == 201
    assert shop.view(sku).held == 2


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("wrong", ["SET {key} nonsense", "SADD {key} nonsense"])
def test_a_key_of_the_wrong_type_changes_nothing_and_heals(
    shop: Shop, redis_server: Redis, part: str, wrong: str
) -> None:
    sku, key = shop.open_sale(), f"{part}-{wrong[:3]}-{shop.new_buyer()}"
    assert shop.buy(sku, "first", key=key).status == 201
    name = key_of(shop, sku, part)
    if not (part.startswith("rate") and wrong.startswith("SET")):  # a bucket that is no number counts as full
        redis_server.ask(f"RENAME {name} {name}-aside")
        redis_server.ask(wrong.format(key=name))
        before = snapshot(redis_server, shop, sku)
        expect_unavailable(shop, sku, lambda: shop.buy(sku, "alice", key=key))
        assert snapshot(redis_server, shop, sku) == before
        redis_server.ask(f"DEL {name}")
        redis_server.ask(f"RENAME {name}-aside {name}")
    assert shop.buy(sku, "alice", key=key).status == 201
    assert shop.view(sku).held == 2


def test_an_item_whose_own_key_is_missing_is_not_called_unknown(shop: Shop, redis_server: Redis) -> None:
    sku = shop.open_sale()
    order = shop.buy(sku, "alice").json
    redis_server.ask(f"DEL {key_of(shop, sku, 'item')}")
    before = snapshot(redis_server, shop, sku)
    expect_unavailable(shop, sku, lambda: shop.buy(sku))
    assert snapshot(redis_server, shop, sku) == before
    assert shop.look_up(order["poll"]).status in (200, 503)


def test_an_item_that_was_on_sale_and_is_gone_altogether_is_not_called_unknown(shop: Shop, redis_server: Redis) -> None:
    sku = shop.open_sale()
    order = shop.buy(sku, "alice").json
    for part in PARTS:
        redis_server.ask(f"DEL {key_of(shop, sku, part)}")
    expect_unavailable(shop, sku, lambda: shop.buy(sku))
    # Nobody can say any more what became of it; its receipt still says that it was accepted.
    found = shop.look_up(order["poll"])
    assert (found.status, found.json["state"], found.json["written"]) == (200, "held", False)
    assert shop.look_up(f"/seckill/orders/{order['order']}", "X-User: alice").status == 503


@pytest.mark.parametrize(
    "damage",
    ["HSET {item} free -1", "HSET {item} free 99", "HSET {item} total x", "HDEL {item} held", "HSET {item} seq 1e3"],
)
def test_an_item_with_damaged_numbers_sells_nothing(shop: Shop, redis_server: Redis, damage: str) -> None:
    sku = shop.open_sale()
    redis_server.ask(damage.format(item=key_of(shop, sku, "item")))
    before = snapshot(redis_server, shop, sku)
    expect_unavailable(shop, sku, lambda: shop.buy(sku))
    assert snapshot(redis_server, shop, sku) == before
