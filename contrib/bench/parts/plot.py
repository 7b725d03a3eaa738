"""The picture of one sale, 50,000 buyers for 100 units through nginx, as its log tells it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from stack import RabbitMQ

from bench import wrk
from bench.figures import NotSound, Told
from bench.front import answered, front, logged
from bench.parts.sale import BUYERS, NGINX, STOCK
from bench.picture import draw
from bench.stage import open_site, safe_redis
from bench.timeline import ACCEPTED, timeline

CONNECTIONS = 500
PICTURE = Path(__file__).parents[1] / "sale.png"
MOMENT = 0.05
TITLE = f"A flash sale through nginx: {BUYERS:,} requests for {STOCK} units"


def measure(rounds: int) -> Told:
    """The last of the sales is drawn; those before it are to warm up."""
    with ExitStack() as started:
        redis, rabbit = started.enter_context(safe_redis()), started.enter_context(RabbitMQ())
        site = started.enter_context(open_site({"redis": redis.url, "broker": rabbit.url}, shield=True, nginx=NGINX))
        nginx = started.enter_context(front(site, logs=True))
        for number in range(rounds):
            site.open_sale(sku := f"phone-{number}", STOCK)
            before = logged(nginx)
            load = wrk.buyers(BUYERS, nginx.url, f"/buy/{sku}", CONNECTIONS)
            answers = list(answered(nginx, before))
            if load.broken or load.answers.get(ACCEPTED) != STOCK or len(answers) < BUYERS:
                raise NotSound(
                    f"{STOCK} units; told: {dict(load.answers)}, {load.broken} broken, {len(answers)} logged"
                )
    draw(timeline(answers, MOMENT), TITLE, PICTURE)
    told = Told()
    told.measured("the sale that is drawn", [load.seconds], "s")
    told.measured("time to answer, p99", [1000 * quantiles([answer.seconds for answer in answers], n=100)[-1]], "ms")
    return told
