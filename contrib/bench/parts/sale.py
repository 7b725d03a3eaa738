"""A flash sale through nginx: 50,000 buyers for 100 units, beside nginx answering everybody by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from stack import RabbitMQ

from bench import wrk
from bench.figures import NotSound, Told
from bench.front import front
from bench.rounds import ratio, take_turns
from bench.stage import Site, open_site, safe_redis
from bench.wrk import Load

BUYERS, STOCK = 50_000, 100
CROWDS = (500, 5_000)
"""Connections at the same moment."""
NGINX = {"buyer": "$http_x_user_id", "pace": "3000/s burst 20000", "first": 40}
"""The first keep two workers busy; the others wait for the shield, and the last of 5,000 not for too long."""

_FLOOR = """
location = /floor {
    default_type "application/problem+json";
    add_header Cache-Control no-store always;
    return 409 '{"type": "urn:seckill:verdict:sold_out", "title": "Sold out", "status": 409, "detail": "every unit is held or sold; some may come back if holds expire", "verdict": "sold_out"}\\n';
}
"""  # noqa: E501 - what the shield says, to the letter


def measure(rounds: int) -> Told:
    """Each sale is one of an item of its own; the floor is the same nginx, which says "sold out" to the same load."""
    told = Told()
    with ExitStack() as started:
        redis, rabbit = started.enter_context(safe_redis()), started.enter_context(RabbitMQ())
        stores = {"redis": redis.url, "broker": rabbit.url}
        site = started.enter_context(open_site(stores, shield=True, nginx=NGINX))
        nginx = started.enter_context(front(site, server=_FLOOR))
        for connections in CROWDS:
            runs = take_turns(
                {
                    f"sale, {connections} connections": _seller(site, nginx.url, connections),
                    f"floor, {connections} connections": _floor(nginx.url, connections),
                },
                rounds,
            )
            for name, seconds in runs.items():
                told.measured(name, seconds, "s")
            told.figures[f"sale_{connections}_vs_floor"] = ratio(*runs.values())
    return told


_numbers = count(1)


def _seller(site: Site, url: str, connections: int) -> Callable[[], float]:
    def sell() -> float:
        sku = f"phone-{next(_numbers)}"
        site.open_sale(sku, STOCK)
        load = wrk.buyers(BUYERS, url, f"/buy/{sku}", connections)
        if load.answers.get(201) != STOCK or site.sold(sku) != STOCK:
            raise NotSound(f"{STOCK} units, {site.sold(sku)} orders; told: {dict(load.answers)}")
        return _sound(load, {201, 409}).seconds

    return sell


def _floor(url: str, connections: int) -> Callable[[], float]:
    return lambda: _sound(wrk.buyers(BUYERS, url, "/floor", connections), {409}).seconds


def _sound(load: Load, statuses: set[int]) -> Load:
    if load.broken or set(load.answers) != statuses:
        raise NotSound(f"{dict(load.answers)}, {load.broken} connections or requests broken")
    return load
