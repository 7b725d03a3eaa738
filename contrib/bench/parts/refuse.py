"""Sold-out answers a second from the sidecar's own workers, beside an application that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from bench import wrk
from bench.figures import NotSound, Told
from bench.programs import OUR_WORKER, App
from bench.rounds import ratio, take_turns
from bench.stage import PATIENT, open_site, safe_redis

SKU = "phone"
CONNECTIONS = 128
SECONDS = 4


def measure(rounds: int) -> Told:
    """No nginx, so no shield: buyers come straight to gunicorn, two workers each."""
    told = Told()
    with ExitStack() as started:
        redis = started.enter_context(safe_redis())
        site = started.enter_context(open_site({"redis": redis.url, "broker": "none"}, **PATIENT))
        bare = started.enter_context(App("bare:application"))
        in_ours = started.enter_context(App("bare:application", worker=OUR_WORKER))
        site.open_sale(SKU, 0)
        yes = {"bare": _asker(bare.url, 201), "bare in our worker": _asker(in_ours.url, 201)}
        runs = take_turns({"ours": _asker(site.sidecar.url, 409), **yes}, rounds)
    told.measured("sold out, said by ours", runs["ours"], "a second")
    for app in yes:
        told.measured(f"yes, said by {app}", runs[app], "a second")
    told.figures["refuse_vs_bare"] = ratio(runs["ours"], runs["bare"])
    return told


def _asker(url: str, status: int) -> Callable[[], float]:
    def ask() -> float:
        load = wrk.for_seconds(SECONDS, url, f"/buy/{SKU}", CONNECTIONS)
        if load.broken or set(load.answers) != {status}:
            raise NotSound(f"everybody was to be told {status}, but: {dict(load.answers)}, {load.broken} broken")
        return load.rate

    ask()  # the first is for opening connections
    return ask
