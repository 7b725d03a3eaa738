"""Waiting through real nginx, before gunicorn's workers: bounds, who may, and what a reload does to who waits."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bench import hearing
from bench.hearing import Heard
from bench.shield import CLOCK, Site, running, soon
from demo.line import Line, Reply

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.model import Event, EventKind
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings import load

PLACES = 4
PATIENCE = 60.0
_numbers = count(1)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2VjcmV0IHNlY3JldCBzZQ==",
}


RESULTS = {"heartbeat": "500ms", "longest": "1m", "origins": ["https://m.shop.test"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("results"), serve={"workers": 1}, results=RESULTS) as site:
        yield site


@pytest.fixture
def small_site(tmp_path: Path) -> Iterator[Site]:
    """One with next to no places, which nobody has reloaded: two workers would have twice as many for a moment."""
    with running(tmp_path, serve={"workers": 1}, results=RESULTS | {"waiters": PLACES}) as site:
        yield site


@pytest.fixture
def orders(site: Site) -> Iterator[OrdersDb]:
    settings = load(site.sidecar.home.config, os.environ | {"SECKILL_SECRET": site.sidecar.home.secret.value})
    database = connect_orders_db(settings.stores.database, settings.writer, settings.timeouts, clock=CLOCK)
    yield database
    database.close()


def ask(site: Site, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
    with closing(Line(site.nginx.address, timeout=30)) as line:
        return line.ask(method, path, headers or {}, b"")


@pytest.fixture
def bought(site: Site) -> dict[str, Any]:
    """The answer to an accepted purchase."""
    return buy(site)


def buy(site: Site) -> dict[str, Any]:
    sku = f"kettle-{next(_numbers)}"
    site.open_sale(sku, units=3)
    answer = ask(site, f"/buy/{sku}", "POST", {"X-Buyer": "ann"})
    assert answer.status == 201
    told: dict[str, Any] = json.loads(answer.body)
    return told


def write(site: Site, orders: OrdersDb, order_id: str) -> None:
    """Commit the order, as a writer does."""
    order = site.ledger.order(order_id, soon())
    assert order is not None
    orders.write([Event(EventKind.ACCEPTED, 1, order, 3, order.accepted_at_ms)])


async def listening(site: Site, path: str, listen: Callable[..., Coroutine[Any, Any, None]]) -> tuple[Heard, Any]:
    """Somebody who has heard the first news."""
    heard = Heard("")
    task = asyncio.create_task(listen(site.nginx.address, path, heard))
    async with asyncio.timeout(PATIENCE):
        while not (heard.news or task.done()):
            await asyncio.sleep(0.02)
    return heard, task


WAYS = pytest.mark.parametrize(
    ("kind", "listen"), [("events", hearing.events), ("socket", hearing.socket)], ids=["events", "socket"]
)


@WAYS
def test_the_result_comes_through_nginx_when_it_is_written(
    site: Site, orders: OrdersDb, bought: dict[str, Any], kind: str, listen: Any
) -> None:
    async def scene() -> Heard:
        heard, task = await listening(site, bought[kind], listen)
        async with asyncio.timeout(PATIENCE):
            while heard.beats < 2 and not task.done():
                await asyncio.sleep(0.05)
        assert not heard.ended
        await asyncio.to_thread(write, site, orders, bought["order"])
        await asyncio.wait_for(task, PATIENCE)
        return heard

    heard = asyncio.run(scene())
    assert [members["written"] for _, members in heard.news] == [False, True]
    assert heard.close == (1000 if kind == "socket" else 0)


@WAYS
def test_a_reload_sends_everybody_away_at_once_and_they_go_on_with_the_next_worker(
    site: Site, orders: OrdersDb, bought: dict[str, Any], kind: str, listen: Any
) -> None:
    async def scene() -> tuple[Heard, Heard]:
        before, task = await listening(site, bought[kind], listen)
        os.kill(site.sidecar.pid, signal.SIGHUP)
        await asyncio.wait_for(task, PATIENCE)
        after, task = await listening(site, bought[kind], listen)
        while after.status >= 500 or not after.news:  # the old worker may have been asked once more
            after, task = await listening(site, bought[kind], listen)
        await asyncio.to_thread(write, site, orders, bought["order"])
        await asyncio.wait_for(task, PATIENCE)
        return before, after

    before, after = asyncio.run(scene())
    assert before.ended
    assert not before.written
    if kind == "socket":
        assert before.close == 1012
    else:
        assert len(before.retries) == 2
        assert 1000 <= before.retries[-1] <= 5000
    assert len(after.written) == 1


def test_a_reload_answers_who_waits_for_one_answer(site: Site, bought: dict[str, Any]) -> None:
    async def scene() -> Reply:
        asked = asyncio.create_task(asyncio.to_thread(ask, site, f"{bought['poll']}&wait=25s"))
        await asyncio.sleep(2)
        os.kill(site.sidecar.pid, signal.SIGHUP)
        return await asyncio.wait_for(asked, 20)

    answer = asyncio.run(scene())
    told = json.loads(answer.body)
    assert (answer.status, told["written"], "poll_after_ms" in told) == (200, False, True)


def test_beyond_the_places_who_would_wait_is_told_to_ask_again(small_site: Site) -> None:
    site, bought = small_site, buy(small_site)

    async def scene() -> tuple[Reply, Reply, Heard]:
        everybody = [await listening(site, bought["events"], hearing.events) for _ in range(PLACES)]
        refused = await asyncio.to_thread(ask, site, bought["events"])
        polled = await asyncio.to_thread(ask, site, f"{bought['poll']}&wait=20s")
        for _, task in everybody:
            task.cancel()
        await asyncio.gather(*(task for _, task in everybody), return_exceptions=True)
        async with asyncio.timeout(PATIENCE):  # who has hung up is found out by the next heartbeat
            heard, task = await listening(site, bought["events"], hearing.events)
            while heard.status != 200:
                heard, task = await listening(site, bought["events"], hearing.events)
        task.cancel()
        return refused, polled, heard

    refused, polled, heard = asyncio.run(scene())
    assert refused.status == 503
    assert int(refused.header("retry-after")) >= 1
    assert polled.status == 200
    assert heard.news


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://{host}", 101),
        ("https://m.shop.test", 101),
        ("https://m.shop.test:443", 101),
        ("http://m.shop.test", 403),
        ("https://evil.test", 403),
        ("null", 403),
    ],
)
def test_a_socket_opens_for_pages_of_this_site_only(
    site: Site, bought: dict[str, Any], origin: str, status: int
) -> None:
    host = "{}:{}".format(*site.nginx.address)
    named = origin.format(host=host)

    async def scene() -> int:
        reader, writer = await asyncio.open_connection(*site.nginx.address)
        fields = {"Host": host, "Origin": named, **UPGRADE}
        lines = [f"GET {bought['socket']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
        writer.close()
        return int(line.split()[1])

    assert asyncio.run(scene()) == status


def test_what_is_no_websocket_is_told_so(site: Site, bought: dict[str, Any]) -> None:
    assert ask(site, bought["socket"]).status == 426


def test_whatever_else_a_handshake_says_is_passed_over(site: Site, bought: dict[str, Any]) -> None:
    strange = UPGRADE | {"Sec-WebSocket-Protocol": "caf\xe9", "Sec-WebSocket-Extensions": "\xe9", "Host": ".shop.test"}

    def first_line(address: tuple[str, int], fields: dict[str, str]) -> str:
        lines = [f"GET {bought['socket']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        with socket.create_connection(address, PATIENCE) as line, line.makefile("rb") as answer:
            line.sendall("\r\n".join(lines).encode("latin-1"))
            return answer.readline().decode()

    assert " 101 " in first_line(site.nginx.address, strange)
    assert " 101 " in first_line(site.sidecar.address, strange | {"Connection": "keep-alive, Upgrade"})
    assert " 426 " in first_line(site.sidecar.address, UPGRADE | {"Host": "shop.test", "Connection": "close"})
    assert "Traceback" not in site.sidecar.log.read_text()


def test_a_client_that_goes_on_talking_is_cut_off(site: Site, bought: dict[str, Any]) -> None:
    async def scene() -> bool:
        reader, writer = await asyncio.open_connection(*site.nginx.address)
        fields = {"Host": "shop.test", **UPGRADE}
        lines = [f"GET {bought['socket']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        word = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"
        hung_up = asyncio.create_task(reader.read())  # to the end
        async with asyncio.timeout(PATIENCE):
            while not hung_up.done():
                writer.write(word * 10)
                await asyncio.sleep(0.05)
        writer.close()
        return True

    assert asyncio.run(scene())
