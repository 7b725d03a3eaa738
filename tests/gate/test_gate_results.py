"""How a buyer hears of the result, in each plug: asked for, waited for, as events, and by the receipt."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from bench import hearing
from bench.hearing import Heard
from gate_plugs import Sidecar
from gate_site import Shop
from stack import Redis, eventually

from seckill_sidecar.clock import SystemClock, order_ids
from seckill_sidecar.model import Purchase

new_id = order_ids(SystemClock())
PATIENCE = 30.0


def heard_of(shop: Shop, path: str, then: Callable[[], object], listen: Callable[..., Any] = hearing.events) -> Heard:
    """All that is told at this address, until the server ends it; ``then`` happens after the first news."""
    heard = Heard("")

    async def all_of_it() -> None:
        async with asyncio.timeout(PATIENCE):
            task = asyncio.create_task(listen(shop.address, path, heard))
            while not (heard.news or task.done()):
                await asyncio.sleep(0.02)
            await asyncio.to_thread(then)
            await task

    asyncio.run(all_of_it())
    return heard


def stages(heard: Heard) -> list[tuple[str, bool, bool]]:
    """State, whether written, whether there is more to come, of each event."""
    return [(m["state"], m["written"], "poll_after_ms" in m) for _, m in heard.news]


def test_a_look_up_says_when_to_ask_again_until_the_order_is_written(shop: Shop) -> None:
    sku = shop.open_sale()
    bought = shop.buy(sku, "alice").json
    answer = shop.look_up(bought["poll"])
    assert (answer.json["state"], answer.json["written"]) == ("held", False)
    assert 0 < answer.json["poll_after_ms"] <= 1000 * int(answer.value("Retry-After"))
    shop.write(sku)
    answer = shop.look_up(bought["poll"])
    assert (answer.json["state"], answer.json["written"]) == ("held", True)
    assert "poll_after_ms" not in answer.json
    assert not answer.values("Retry-After")


def test_the_identified_buyer_is_told_the_same(shop: Shop) -> None:
    sku = shop.open_sale()
    order = shop.buy(sku, "alice").json["order"]
    shop.write(sku)
    assert shop.look_up(f"/seckill/orders/{order}", "X-User: alice").json["written"] is True
    assert shop.look_up(f"/seckill/orders/{order}/events", "X-User: bob").status == 404
    assert shop.look_up(f"/seckill/orders/{order}/events").status == 401


def test_who_waits_is_answered_as_soon_as_the_order_is_written(shop: Shop) -> None:
    sku = shop.open_sale()
    poll = shop.buy(sku, "alice").json["poll"]
    timer = threading.Timer(0.5, shop.write, [sku])
    timer.start()
    answer = shop.look_up(f"{poll}&wait=20s")
    timer.join()
    assert answer.json["written"] is True


def test_who_waits_in_vain_is_told_when_to_ask_again(shop: Shop) -> None:
    poll = shop.buy(shop.open_sale(), "alice").json["poll"]
    answer = shop.look_up(f"{poll}&wait=100ms")
    assert (answer.json["written"], "poll_after_ms" in answer.json) == (False, True)


@pytest.mark.parametrize("wait", ["soon", "-1", "1e3", "1234567", "5m"])
def test_how_long_to_wait_has_to_be_said_in_seconds(shop: Shop, wait: str) -> None:
    poll = shop.buy(shop.open_sale(), "alice").json["poll"]
    assert shop.look_up(f"{poll}&wait={wait}").status == 400


def test_events_tell_of_the_order_now_and_once_it_is_written(shop: Shop) -> None:
    sku = shop.open_sale()
    bought = shop.buy(sku, "alice").json
    heard = heard_of(shop, bought["events"], lambda: shop.write(sku))
    assert (heard.status, stages(heard)) == (200, [("held", False, True), ("held", True, False)])
    assert {members["order"] for _, members in heard.news} == {bought["order"]}
    assert heard.retries


def test_events_of_a_purchase_that_is_under_way_begin_before_it_arrives(shop: Shop) -> None:
    sku = shop.open_sale()
    order_id = new_id(sku)
    path = f"/seckill/orders/{order_id}/events?token={shop.order_token(order_id, 'alice')}"

    def arrive() -> None:
        shop.ledger.reserve(Purchase(order_id, sku, "alice", 1), shop.deadline())
        shop.write(sku)

    heard = heard_of(shop, path, arrive)
    assert stages(heard)[0] == ("unknown", False, True)
    assert stages(heard)[-1] == ("held", True, False)


@pytest.mark.parametrize("kind", ["events", "socket"])
def test_another_orders_token_opens_neither_events_nor_a_socket(shop: Shop, kind: str) -> None:
    first, second = (shop.buy(shop.open_sale(), "alice").json for _ in range(2))
    foreign = second[kind].partition("?")[2]
    answer = shop.look_up(f"/seckill/orders/{first['order']}/{kind}?{foreign}", *UPGRADE)
    assert answer.status == 403 or (kind == "socket" and answer.status == 501)


UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2VjcmV0IHNlY3JldCBzZQ==",
)


def test_a_socket_tells_the_same_or_names_the_events_if_the_server_has_none(shop: Shop) -> None:
    sku = shop.open_sale()
    bought = shop.buy(sku, "alice").json
    if shop.plug.name != Sidecar.name:
        answer = shop.look_up(bought["socket"], *UPGRADE)
        assert (answer.status, answer.value("Content-Type")) == (501, "application/problem+json")
        assert "/events" in answer.json["detail"]
        return
    heard = heard_of(shop, bought["socket"], lambda: shop.write(sku), hearing.socket)
    assert (stages(heard), heard.close) == ([("held", False, True), ("held", True, False)], 1000)


def test_the_receipt_finds_the_order_when_the_ledger_has_lost_it(shop: Shop, redis_server: Redis) -> None:
    sku = shop.open_sale()
    bought = shop.buy(sku, "alice").json
    assert shop.look_up(f"/seckill/orders/{bought['order']}?receipt={bought['receipt']}").json["state"] == "held"
    redis_server.flush()
    lost = shop.look_up(f"/seckill/orders/{bought['order']}?receipt={bought['receipt']}")
    assert (lost.status, lost.json["state"], lost.json["written"], lost.json["quantity"]) == (200, "held", False, 1)
    assert lost.json["accepted_at"] == bought["accepted_at"]


def test_a_receipt_proves_nothing_of_another_order(shop: Shop) -> None:
    first, second = (shop.buy(shop.open_sale(), "alice").json for _ in range(2))
    assert shop.look_up(f"/seckill/orders/{first['order']}?receipt={second['receipt']}").status == 403
    assert shop.look_up(f"/seckill/orders/{first['order']}?receipt={first['receipt'][:-2]}AA").status == 403


def test_the_storefronts_own_answer_brings_the_receipt_along(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice", path="/buy/{sku}")
    (order,) = shop.orders(sku)
    receipt = answer.value("X-Seckill-Receipt")
    assert shop.site.keyring.read_order_token(receipt, order.id, time.time()).receipt is not None
    assert shop.look_up(f"/seckill/orders/{order.id}?receipt={receipt}").json["order"] == order.id
    assert not shop.buy(sku, "alice", path="/buy/{sku}", quantity=99).values("X-Seckill-Receipt")


def test_who_has_hung_up_gives_the_place_back(shop: Shop) -> None:
    """As many at once as there are places, again and again: nobody stays who does not listen."""
    sku = shop.open_sale(total=100)
    paths = [shop.buy(sku, f"b{no}").json["events"] for no in range(20)]

    def listen_shortly(path: str) -> int:
        heard = Heard("")

        async def a_moment() -> None:
            task = asyncio.create_task(hearing.events(shop.address, path, heard))
            while not heard.status and not task.done():
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(a_moment())
        return heard.status

    with ThreadPoolExecutor(20) as pool:
        first: list[Future[int]] = [pool.submit(listen_shortly, path) for path in paths]
        assert {one.result() for one in first} <= {200, 503}
    eventually(lambda: all(listen_shortly(path) == 200 for path in paths[:3]), PATIENCE, "places are free again")
