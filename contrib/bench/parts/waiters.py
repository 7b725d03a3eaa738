"""Buyers who wait for their results through nginx while their orders are committed: who hears when.

As fast as a rush brings orders, and, beside it, all in one burst, as after an outage of the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from statistics import median, quantiles

from stack import MariaDB

from bench import hearing
from bench.figures import NotSound, Told
from bench.front import front
from bench.hearing import Heard
from bench.stage import CLOCK, Site, open_site, safe_redis
from bench.usage import cpu_seconds, resident_mb
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, order_ids
from seckill_sidecar.model import Event, Purchase
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.wire.tokens import Keyring, SigningKey

SKU = "phone"
EVENTS, SOCKETS = 5000, 1000
RUSH = 1500.0
"""Orders a second: about what two workers accept at most, with the machine to themselves (``ONLY=accept``)."""
AT_ONCE = float("inf")
_BATCH = 500
_AT_ONCE = 200
"""Who opens a connection at the same moment."""
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of one burst."""

    latencies: Sequence[float]
    """From each waiter's commit to its news, in seconds."""
    kilobytes: float
    """Of the sidecar's memory, a waiter."""
    idle_cpu: float
    """Share of a core that all workers together took while everybody waited."""


def measure(rounds: int) -> Told:
    """5,000 wait by events and 1,000 by WebSocket, before two workers."""
    told = Told()
    with ExitStack() as started:
        redis, mariadb = started.enter_context(safe_redis()), started.enter_context(MariaDB())
        bursts: dict[float, list[Burst]] = {RUSH: [], AT_ONCE: []}
        for number, pace in product(range(rounds), bursts):
            database = mariadb.create_database(f"waiters_{number}_{'rush' if pace == RUSH else 'burst'}")
            stores = {"redis": redis.url, "broker": "none", "database": database}
            bursts[pace].append(burst(stores, EVENTS, SOCKETS, pace))
            redis.flush()
    for name, seen in (("in a rush", bursts[RUSH]), ("all at once", bursts[AT_ONCE])):
        told.measured(f"{name}, from commit to news, median", [1000 * median(one.latencies) for one in seen], "ms")
        told.measured(f"{name}, p99", [1000 * p99(one.latencies) for one in seen], "ms")
        told.measured(f"{name}, slowest", [1000 * max(one.latencies) for one in seen], "ms")
    told.measured("memory a waiter", [one.kilobytes for seen in bursts.values() for one in seen], "KiB")
    told.measured("CPU while all wait", [100 * one.idle_cpu for one in bursts[RUSH]], "% of a core")
    told.figures["waiters_slowest_s"] = median(max(one.latencies) for one in bursts[RUSH])
    told.figures["waiters_burst_slowest_s"] = median(max(one.latencies) for one in bursts[AT_ONCE])
    told.figures["waiter_kib"] = median(one.kilobytes for one in bursts[RUSH])
    return told


def burst(stores: Mapping[str, str], by_events: int, by_socket: int, pace: float = AT_ONCE) -> Burst:
    """So many waiters, and so many orders a second. Raises ``NotSound`` unless each hears of its own order, once."""
    with ExitStack() as started:
        site = started.enter_context(open_site(stores, timeouts={"request": "20s", "ledger": "10s"}))
        nginx = started.enter_context(front(site))
        site.open_sale(SKU, by_events + by_socket)
        orders = connect_orders_db(
            site.settings.stores.database, site.settings.writer, site.settings.timeouts, clock=CLOCK
        )
        started.callback(orders.close)
        orders.migrate()
        order_ids_sold = _sell(site, by_events + by_socket)
        return asyncio.run(_wait_and_commit(site, nginx.address, orders, order_ids_sold, by_events, pace))


def _sell(site: Site, units: int) -> list[str]:
    make_id = order_ids(CLOCK)
    sold = [make_id(SKU) for _ in range(units)]
    for number, order_id in enumerate(sold):
        decision = site.ledger.reserve(Purchase(order_id, SKU, f"buyer-{number}", 1), Deadline.after(10.0, CLOCK))
        if decision.order is None:
            raise NotSound(f"{decision.verdict} instead of an order")
    return sold


async def _wait_and_commit(
    site: Site, address: tuple[str, int], orders: OrdersDb, sold: Sequence[str], by_events: int, pace: float
) -> Burst:
    heard = [Heard(order_id) for order_id in sold]
    keyring = Keyring([SigningKey(key.id, key.secret.get_secret_value().encode()) for key in site.settings.keys])
    workers = site.sidecar.workers
    before = resident_mb(workers)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def listen(number: int, one: Heard) -> None:
        kind, how = ("events", hearing.events) if number < by_events else ("socket", hearing.socket)
        token = keyring.order_token(one.order_id, f"buyer-{number}", CLOCK.wall() + 3600)
        async with gate:
            task = asyncio.create_task(how(address, f"/seckill/orders/{one.order_id}/{kind}?token={token}", one))
            while not (one.news or task.done()):
                await asyncio.sleep(0.01)
        await task

    everybody = [asyncio.create_task(listen(number, one)) for number, one in enumerate(heard)]
    try:
        async with asyncio.timeout(_PATIENCE):
            while not all(one.news for one in heard):
                _raise_of(everybody)
                await asyncio.sleep(0.1)
        idle_cpu, memory = await _while_all_wait(workers, before)
        committed = await asyncio.to_thread(_commit, site, orders, pace)
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*everybody)
    finally:
        for task in everybody:
            task.cancel()
    _refuse_unsound(heard, committed)
    latencies = [max(0.0, one.written[0] - committed[one.order_id]) for one in heard]
    return Burst(latencies, 1024 * memory / len(heard), idle_cpu)


async def _while_all_wait(workers: Sequence[int], before: float) -> tuple[float, float]:
    memory = resident_mb(workers) - before
    spent, seconds = cpu_seconds(workers), 3.0
    await asyncio.sleep(seconds)
    return (cpu_seconds(workers) - spent) / seconds, memory


def _commit(site: Site, orders: OrdersDb, pace: float) -> dict[str, float]:
    """Write all orders as the writer does, so many a second at most; the moment at which each was committed."""
    entries = site.ledger.outbox(SKU, 0, 1_000_000, Deadline.after(30.0, CLOCK))
    written = [Event.decode(entry.body) for entry in entries]
    committed: dict[str, float] = {}
    began = time.monotonic()
    for i in range(0, len(written), _BATCH):
        CLOCK.sleep(max(0.0, began + i / pace - time.monotonic()))
        batch = written[i : i + _BATCH]
        orders.write(batch)
        committed |= dict.fromkeys((event.order.id for event in batch), time.monotonic())
    return committed


def _refuse_unsound(heard: Sequence[Heard], committed: Mapping[str, float]) -> None:
    for one in heard:
        strangers = {members["order"] for _, members in one.news} - {one.order_id}
        if len(one.written) != 1 or strangers or one.order_id not in committed or not one.ended:
            raise NotSound(f"{one.order_id} heard {len(one.written)} results and of {strangers or 'nobody else'}")


def _raise_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled():
            raise NotSound(f"a waiter ended too early: {task.exception()}")


def p99(seconds: Sequence[float]) -> float:
    """The slowest hundredth begins here."""
    return quantiles(seconds, n=100)[-1]
