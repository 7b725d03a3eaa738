"""The purchase endpoint that a Python site would write by itself: Falcon, redis-py with a Lua script, pika.

It does the same work in the usual way: one unit a buyer, never more than the stock, and each order confirmed by
RabbitMQ as persistent and routed before the buyer is told. It has no limits, keys, deadlines, or memory of failures.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from typing import Any

import falcon
import pika
import redis

RESERVE = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then
  return 'limit_reached'
end
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
if left < tonumber(ARGV[2]) then
  return 'sold_out'
end
redis.call('DECRBY', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
return 'accepted'
"""
QUEUE = "naive.orders"


class Orders:
    """One connection to RabbitMQ a process. pika's blocking one may be used by one at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._channel: Any = None

    def publish(self, order: dict[str, Any]) -> None:
        with self._lock:
            if self._channel is None:
                self._channel = pika.BlockingConnection(pika.URLParameters(self._url)).channel()
                self._channel.queue_declare(QUEUE, durable=True)
                self._channel.confirm_delivery()
            self._channel.basic_publish(
                exchange="",
                routing_key=QUEUE,
                body=json.dumps(order).encode(),
                properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
                mandatory=True,
            )


class Purchases:
    """Sells."""

    def __init__(self, store: redis.Redis, orders: Orders) -> None:
        self._reserve = store.register_script(RESERVE)
        self._orders = orders

    def on_post(self, req: falcon.Request, resp: falcon.Response, sku: str) -> None:
        form: Any = req.get_media()
        quantity = int(form.get("quantity", "1"))
        buyer = req.get_header("X-User-Id", required=True)
        verdict = self._reserve(keys=[f"naive:{sku}:left", f"naive:{sku}:buyers"], args=[buyer, quantity]).decode()
        if verdict != "accepted":
            resp.status = falcon.HTTP_409
            resp.media = {"verdict": verdict}
            return
        order = {"id": str(uuid.uuid4()), "item": sku, "buyer": buyer, "quantity": quantity}
        self._orders.publish(order)
        resp.status = falcon.HTTP_201
        resp.media = {"verdict": verdict, **order}


def build() -> falcon.App[falcon.Request, falcon.Response]:
    """The application, with the stores that the environment names."""
    application = falcon.App()
    store = redis.Redis.from_url(os.environ["BENCH_REDIS"])
    application.add_route("/buy/{sku}", Purchases(store, Orders(os.environ["BENCH_BROKER"])))
    return application
