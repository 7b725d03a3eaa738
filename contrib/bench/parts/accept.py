"""Accepted purchases a second, confirmed by RabbitMQ: beside the app that a site would have written, and a bare one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from stack import RabbitMQ

from bench import wrk
from bench.figures import NotSound, Told
from bench.programs import App
from bench.rounds import ratio, take_turns
from bench.stage import PATIENT, open_site, safe_redis
from bench.wrk import Load

SKU, STOCK = "phone", 10_000_000
CONNECTIONS = 128
SECONDS = 4


def measure(rounds: int) -> Told:
    """All three have two workers; ours and the naive one the same Redis and RabbitMQ. No writer runs."""
    told = Told()
    with ExitStack() as started:
        redis, rabbit = started.enter_context(safe_redis()), started.enter_context(RabbitMQ())
        site = started.enter_context(open_site({"redis": redis.url, "broker": rabbit.url}, **PATIENT))
        stores = {"BENCH_REDIS": redis.url, "BENCH_BROKER": rabbit.url}
        naive = started.enter_context(App("naive:build()", stores))
        bare = started.enter_context(App("bare:application"))
        site.open_sale(SKU, STOCK)
        redis.ask(f"SET naive:{SKU}:left {STOCK}")
        runs = take_turns(
            {app: _buyer(url) for app, url in {"ours": site.sidecar.url, "naive": naive.url, "bare": bare.url}.items()},
            rounds,
        )
    for app in runs:
        told.measured(f"accepted by {app}", runs[app], "a second")
    told.figures["accept_vs_naive"] = ratio(runs["ours"], runs["naive"])
    told.figures["accept_vs_bare"] = ratio(runs["ours"], runs["bare"])
    return told


def _buyer(url: str) -> Callable[[], float]:
    def buy() -> float:
        return accepted(wrk.for_seconds(SECONDS, url, f"/buy/{SKU}", CONNECTIONS)).rate

    buy()  # the first is for opening connections
    return buy


def accepted(load: Load) -> Load:
    """The same load; raises ``NotSound`` if any buyer was told anything but yes."""
    if load.broken or set(load.answers) != {201}:
        raise NotSound(f"everybody was to be accepted, but: {dict(load.answers)}, {load.broken} broken")
    return load
