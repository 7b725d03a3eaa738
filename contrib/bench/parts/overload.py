"""Three times the tries that can be served, for a minute: what is sold, and how long those who buy have to wait."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median, quantiles

from stack import Nginx, RabbitMQ

from bench import wrk
from bench.figures import NotSound, Told
from bench.front import answered, front, logged
from bench.stage import open_site, safe_redis

SKU, STOCK = "phone", 50_000_000
FEW, MANY = 8, 40
"""Connections with which nobody waits for anybody, with which as much is sold as can be: 20 a worker, as advised."""
SHORTLY, MINUTE = 5, 60
TIMES, THINK_MS = 3, 50
"""Who is turned away tries again after a moment. A few who try often are the load of many who try seldom, and spare the
generator, which shares the cores: with 2,700 who think for 500 ms it took 40 % of a core, with 290 it takes 20 %."""
_NEARLY = 0.9
TURNED_AWAY = {429, 503}
NGINX = {"buyer": "$http_x_user_id", "at_once": MANY}


@dataclass(frozen=True, slots=True)
class Seen:
    """One load, as nginx saw it; times in milliseconds."""

    tries_a_second: float
    sold_a_second: float
    p99_sold: float
    p99_turned_away: float
    turned_away: float
    """Of all answers."""


def measure(rounds: int) -> Told:
    """Through nginx without the shield: everybody asks the sidecar, or is turned away because there is no room."""
    told = Told()
    with ExitStack() as started:
        redis, rabbit = started.enter_context(safe_redis()), started.enter_context(RabbitMQ())
        site = started.enter_context(open_site({"redis": redis.url, "broker": rabbit.url}, nginx=NGINX))
        site.open_sale(SKU, STOCK)
        nginx = started.enter_context(front(site, logs=True))
        _load(nginx, SHORTLY, FEW)  # for opening connections
        workers = list(site.sidecar.workers)
        # Before the minute and after it: a machine is not as fast at every time.
        calm, peak = _calm_and_peak(nginx, rounds)
        # Those who think, so that they try so often, and those who are being served.
        crowd = round(TIMES * median(load.sold_a_second for load in peak) * THINK_MS / 1000) + MANY
        rush = _load(nginx, MINUTE, crowd, THINK_MS)
        calm, peak = (a + b for a, b in zip((calm, peak), _calm_and_peak(nginx, rounds), strict=True))
        if list(site.sidecar.workers) != workers:
            raise NotSound("a worker was restarted")
    at_peak = median(load.sold_a_second for load in peak)
    if rush.tries_a_second < _NEARLY * TIMES * at_peak:
        raise NotSound(f"{rush.tries_a_second:.0f} tries a second are not {TIMES} times {at_peak:.0f}")
    told.measured("sold at the peak", [load.sold_a_second for load in peak], "a second")
    told.measured(f"sold with {TIMES} times as many", [rush.sold_a_second], "a second")
    told.measured(f"tries with {TIMES} times as many", [rush.tries_a_second], "a second")
    told.measured("turned away of them", [100 * rush.turned_away], "%")
    told.measured("sold in calm, p99", [load.p99_sold for load in calm], "ms")
    told.measured("sold at the peak, p99", [load.p99_sold for load in peak], "ms")
    told.measured(f"sold with {TIMES} times as many, p99", [rush.p99_sold], "ms")
    told.measured("turned away, p99", [rush.p99_turned_away], "ms")
    told.figures["overload_goodput"] = rush.sold_a_second / at_peak
    told.figures["overload_p99"] = rush.p99_sold / median(load.p99_sold for load in calm)
    return told


def _calm_and_peak(nginx: Nginx, rounds: int) -> tuple[list[Seen], list[Seen]]:
    runs = [(_load(nginx, SHORTLY, FEW), _load(nginx, SHORTLY, MANY)) for _ in range(rounds)]
    return [calm for calm, _ in runs], [peak for _, peak in runs]


def _load(nginx: Nginx, seconds: int, connections: int, think_ms: int = 0) -> Seen:
    before = logged(nginx)
    load = wrk.for_seconds(seconds, nginx.url, f"/buy/{SKU}", connections, think_ms=think_ms)
    if load.broken or not set(load.answers) <= {201, *TURNED_AWAY}:
        raise NotSound(f"{dict(load.answers)}, {load.broken} connections or requests broken")
    answers = list(answered(nginx, before))
    sold = [answer.seconds for answer in answers if answer.status == 201]
    others = [answer.seconds for answer in answers if answer.status in TURNED_AWAY]
    return Seen(load.rate, load.rate_of(201), _p99_ms(sold), _p99_ms(others), len(others) / len(answers))


def _p99_ms(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=100)[-1] if len(seconds) > 1 else 0.0
