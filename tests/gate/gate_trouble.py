"""A site whose stores a test may stop: with impatient timeouts and breakers, so that it notices soon."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
from gate_client import Answer
from gate_site import Shop, open_shop, told
from gate_wire import Wire
from stack import RabbitMQ, Redis, eventually

from seckill_sidecar.model import Order

DEADLINE = 0.8
"""Seconds in which a purchase gets its verdict here."""
SLACK = 4.0
"""Seconds that this machine may take on top of it. No test of speed: without deadlines it would be much longer."""

IMPATIENT: dict[str, Any] = {
    "timeouts": {
        "request": f"{DEADLINE:g}s",
        "ledger": "200ms",
        "broker": "400ms",
        "connect": "300ms",
        "storefront": "700ms",
    },
    "breakers": {
        store: {"minimum": 3, "wait": "300ms", "window": "2s"}
        for store in ("ledger", "broker", "database", "storefront")
    },
    "limits": {"buyer": "off", "address": "off", "in_flight": 4},
}


@dataclass
class Trouble:
    """A running site and its stores."""

    shop: Shop
    redis: Redis
    wire: Wire
    rabbit: RabbitMQ
    broker: str
    """What the names of its exchange and queues begin with."""

    def heal(self) -> None:
        """Everything runs again, and the gate has noticed."""
        self.wire.heal()
        self.redis.heal()
        self.rabbit.heal()
        if self.shop.storefront is not None:
            self.shop.storefront.heal()
        sku = self.shop.open_sale(total=1000)
        eventually(lambda: told(self.shop.buy(sku)) == "accepted", 20, "the ledger is asked again")
        eventually(lambda: self.shop.buy(sku, path="/buy/{sku}").status == 201, 20, "the storefront is asked again")
        eventually(self.hands_off, 20, "the broker is asked again")

    def nothing_waits_to_be_written(self) -> None:
        """As where writers keep up: here there are none, and a restarted Redis is compared with what they wrote."""
        with closing(pika.BlockingConnection(pika.URLParameters(self.rabbit.url))) as connection:
            connection.channel().queue_purge(f"{self.broker}.queue")

    def hands_off(self) -> bool:
        """Whether an order of now reaches the broker."""
        sku = self.shop.open_sale()
        return told(self.shop.buy(sku)) == "accepted" and not self.shop.books(sku).outbox


def breaker_states(shop: Shop, store: str) -> list[str]:
    """What a breaker went through, by the log."""
    lines = [json.loads(line) for line in shop.plug.said().splitlines() if line.startswith('{"time"')]
    prefix = f"breaker {store}: "
    return [line["message"].removeprefix(prefix) for line in lines if line["message"].startswith(prefix)]


@contextmanager
def troubled(kind: str, fallbacks: dict[str, str], rabbit: RabbitMQ, folder: Path) -> Iterator[Trouble]:
    """A site in this plug with these policies, whose Redis is its own."""
    name = f"trouble-{kind}-{fallbacks['on_broker_down']}"
    broker = {part: f"{name}.{part}" for part in ("exchange", "queue", "parked")}
    with ExitStack() as running:
        redis = running.enter_context(Redis(appendonly="yes", appendfsync="no"))
        wire = running.enter_context(Wire(redis.address))
        stores = {"redis": wire.url, "broker": rabbit.url, "database": f"sqlite:///{folder}/orders.db"}
        changes = IMPATIENT | {"stores": stores, "broker": broker, "fallbacks": fallbacks}
        yield Trouble(open_shop(running, kind, changes, redis.url), redis, wire, rabbit, name)


@contextmanager
def in_time(seconds: float = DEADLINE) -> Iterator[None]:
    """What happens within takes no longer than a deadline of so many seconds, and what the machine needs."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK


def order_of(shop: Shop, sku: str, buyer: str) -> Order | None:
    """The buyer's order, as the ledger has it."""
    return next((order for order in shop.orders(sku) if order.buyer == buyer), None)


def expect_truth(shop: Shop, sku: str, buyer: str, *answers: Answer) -> None:
    """What a buyer was told, once or several times with one key, is what the ledger says when everything runs again."""
    polls = [answer.json["poll"] for answer in answers if answer.status == 503 and "poll" in answer.json]
    for poll in polls:
        found = eventually(lambda poll=poll: known(shop, poll), 20, "the order's state is known again")  # type: ignore[misc]
        order = shop.ledger.order(order_named_in(poll), shop.deadline())
        assert (found.status == 200) == (order is not None)
        assert order is None or (found.json["order"], found.json["state"]) == (order.id, order.state.value)
    has_order = order_of(shop, sku, buyer) is not None
    if any(answer.status in (200, 201, 202) for answer in answers):
        assert has_order, "told of an order that there is not"
    elif not polls:
        assert not has_order, "told that no try bought anything"


def order_named_in(poll: str) -> str:
    """The order id in the path of a poll."""
    return poll.partition("?")[0].rpartition("/")[2]


def known(shop: Shop, poll: str) -> Answer | None:
    """What is told of an order, unless nobody knows at this moment."""
    answer = shop.look_up(poll)
    assert answer.status in (200, 404, 503)
    return None if answer.status == 503 else answer
