"""What a request costs when there is much: many items, many orders, many requests before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import redis
from stack import Redis

from bench import fill, wrk
from bench.figures import NotSound, Told
from bench.rounds import ratio, take_turns
from bench.stage import PATIENT, Site, open_site
from bench.usage import cpu_seconds, resident_mb

SKU, STOCK = "phone", 50_000_000
ITEMS, ORDERS, REQUESTS = 10_000, 1_000_000, 300_000
MEASURED, WARM_UP = 10_000, 30_000
"""Requests of one run; and before the memory is looked at for the first time."""
CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Shop:
    """A sidecar with a Redis of its own, without a broker."""

    site: Site
    redis: Redis
    items: int = 1

    def cpu_us(self) -> float:
        """Buy; microseconds of CPU that an accepted purchase took the workers and Redis together."""
        before = self._cpu_seconds()
        path = f"/buy/{SKU}#" if self.items > 1 else f"/buy/{SKU}"
        load = wrk.buyers(MEASURED, self.site.sidecar.url, path, CONNECTIONS, items=self.items)
        if set(load.answers) != {201} or load.broken:
            raise NotSound(f"everybody was to be accepted, but: {dict(load.answers)}, {load.broken} broken")
        return (self._cpu_seconds() - before) / sum(load.answers.values()) * 1e6

    def _cpu_seconds(self) -> float:
        return cpu_seconds([*self.site.sidecar.workers, self.redis.pid])

    def memory(self) -> int:
        """Bytes that Redis uses."""
        with redis.Redis.from_url(self.redis.url) as client:
            return int(client.info("memory")["used_memory"])


def measure(rounds: int) -> Told:
    """Three shops take turns: one with nothing, one with many items, one with many orders."""
    told = Told()
    with ExitStack() as opened:
        small, wide, deep = (opened.enter_context(_shop(items)) for items in (1, ITEMS, 1))
        told.figures["ledger_bytes_per_order"] = _deepen(deep)
        contenders: dict[str, Callable[[], float]] = {
            "one item, no orders": small.cpu_us,
            f"{ITEMS:,} items": wide.cpu_us,
            f"{ORDERS:,} orders": deep.cpu_us,
        }
        take_turns(contenders, 1)  # for opening connections
        runs = take_turns(contenders, rounds)
        told.figures["rss_growth_mb"] = _grow(small)
    for name, microseconds in runs.items():
        told.measured(name, microseconds, "µs of CPU a purchase")
    alone, of_items, of_orders = runs.values()
    told.figures["cpu_growth_items"] = ratio(of_items, alone)
    told.figures["cpu_growth_orders"] = ratio(of_orders, alone)
    return told


@contextmanager
def _shop(items: int) -> Iterator[Shop]:
    with Redis() as server, open_site({"redis": server.url, "broker": "none"}, **PATIENT) as site:
        for name in [f"{SKU}{number}" for number in range(items)] if items > 1 else [SKU]:
            site.open_sale(name, STOCK)
        yield Shop(site, server, items)


def _deepen(shop: Shop) -> float:
    before = shop.memory()
    fill.sell(shop.redis.url, shop.site.settings.ledger.prefix, SKU, ORDERS)
    return (shop.memory() - before) / ORDERS


def _grow(shop: Shop) -> float:
    """MiB by which the workers grow over many requests, most of which are refused."""
    shop.site.open_sale("gone", 0)
    url, workers = shop.site.sidecar.url, shop.site.sidecar.workers
    wrk.buyers(WARM_UP, url, f"/buy/{SKU}", CONNECTIONS)
    wrk.buyers(WARM_UP, url, "/buy/gone", CONNECTIONS)
    before = resident_mb(workers)
    wrk.buyers(REQUESTS // 10, url, f"/buy/{SKU}", CONNECTIONS)
    wrk.buyers(REQUESTS - REQUESTS // 10, url, "/buy/gone", CONNECTIONS)
    if shop.site.sidecar.workers != workers:
        raise NotSound("a worker was restarted")
    return resident_mb(workers) - before
