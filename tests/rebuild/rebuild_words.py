"""Words for tests of the rebuild: a sale on real stores, its ledger lost or damaged, and made anew."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pika
from redis import Redis
from stack import eventually

from seckill_sidecar.adapters.ledger import Keys
from seckill_sidecar.cli import parser
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Decision, ItemView, Order, Purchase, Settled, State
from seckill_sidecar.ops import export, rebuild, verify
from seckill_sidecar.ops.audit import Auditor, Report
from seckill_sidecar.ops.items import Items
from seckill_sidecar.ports import Consumer, Delivery, Parked
from seckill_sidecar.settings import loads
from seckill_sidecar.wiring import Site

SKU = "sneaker"
CLOCK = SystemClock()
_new_id = order_ids(CLOCK)

YAML = """
stores: {{redis: "{redis}", broker: "{broker}", database: "{database}"}}
timeouts: {{ledger: 5s, request: 10s, broker: 5s, connect: 5s}}
broker: {{exchange: {name}, queue: {name}, parked: {name}.parked}}
relay: {{after: 0s}}
writer: {{linger: 10ms}}
keys: [{{id: "1", secret: 0123456789abcdef0123456789abcdef}}]
identity: {{buyer: {{header: X-User-Id, trust: proxy}}}}
items:
  - {{sku: sneaker, total: 100, per_buyer: 10, hold: 15m}}
"""


def within(seconds: float = 10.0) -> Deadline:
    """A deadline on the real clock."""
    return Deadline.after(seconds, CLOCK)


class Shop:
    """A hundred sneakers on sale; the writer works when it is told to."""

    def __init__(self, redis_url: str, database_url: str, broker_url: str = "none") -> None:
        self.name = f"rebuild-{token_hex(4)}"
        self._yaml = YAML.format(redis=redis_url, database=database_url, broker=broker_url, name=self.name)
        self.site = Site(loads(self._yaml, "shop.yaml", {}))
        self.site.orders.migrate()
        self.redis = Redis.from_url(redis_url)
        self.keys = Keys(self.site.settings.ledger.prefix)
        self.command("item", "load")

    def close(self) -> None:
        self.redis.close()
        self._stop()

    def _stop(self) -> None:
        for part in ("consumer", "broker", "ledger", "orders"):
            if (opened := vars(self.site).get(part)) is not None:
                opened.close()

    def restarted(self) -> Site:
        """The site as a process sees it that has just started: it remembers nothing."""
        self._stop()
        self.site = Site(loads(self._yaml, "shop.yaml", {}))
        return self.site

    # -- selling

    def try_to_buy(self, buyer: str = "ann", quantity: int = 1, key: str | None = None) -> Decision:
        return self.site.ledger.reserve(Purchase(_new_id(SKU), SKU, buyer, quantity, key), within())

    def buy(self, buyer: str = "ann", quantity: int = 1, key: str | None = None) -> Order:
        decision = self.try_to_buy(buyer, quantity, key)
        assert decision.order is not None, decision
        return decision.order

    def settle(self, order: Order, state: State) -> Settled:
        return self.site.ledger.settle(order.id, state, "", within())

    def play(self, orders: int = 9) -> list[Order]:
        """Sell orders of one and two units, pay the first of each three, cancel the second."""
        bought = [self.buy(f"buyer-{number}", 1 + number % 2, f"key-{number}") for number in range(orders)]
        for order in bought[::3]:
            self.settle(order, State.PAID)
        for order in bought[1::3]:
            self.settle(order, State.CANCELLED)
        return bought

    def write(self) -> None:
        """Let the writer take everything from the outbox to the database."""
        writer = self.site.writer()
        while writer.step():
            pass

    def hand_off(self) -> None:
        """Let the relay take everything from the outbox to RabbitMQ."""
        relay = self.site.relay()
        while relay.step():
            pass
        relay.close()

    # -- breaking

    def lose_everything(self) -> None:
        """An empty Redis, and processes that have just started."""
        self.redis.flushall()
        self.restarted()

    def park_the_last(self) -> None:
        """Park what stands last in the outbox, as the writer does with what it can't write."""
        last = list(self.site.ledger.outbox_from(SKU))[-1]
        self.site.orders.park(Parked("m", "no such column", last.body, 1))
        self.site.ledger.handed_off(SKU, [last.id], within())

    def dead_letter(self) -> None:
        """Refuse the one message in the orders queue, as RabbitMQ does with what was delivered too often."""
        with closing(self.site._rabbit_consumer()) as consumer:
            eventually(lambda: self._rejected(consumer.receive(1, 0.1), consumer), what="there is a message")
        eventually(
            lambda: self.site.parked_messages().list(False, True).endswith('"in_broker": 1}'), what="it lies there"
        )

    def _rejected(self, deliveries: list[Delivery], consumer: Consumer) -> int:
        for delivery in deliveries:
            consumer.reject(delivery, "delivered too often")
        return len(deliveries)

    # -- looking

    def item(self) -> ItemView:
        view = self.site.ledger.item(SKU, within())
        assert view is not None
        return view

    def states(self) -> Counter[str]:
        """How many of the ledger's orders stand where."""
        return Counter(order.state.value for order in self.site.ledger.orders(SKU))

    def key(self, part: str) -> str:
        return self.keys.of(SKU, part)

    def audit(self) -> Report:
        return Auditor(self.site.ledger, self.site.orders, CLOCK, 0.3).audit([SKU])

    def expect_provable(self, path: Path) -> None:
        """Its exported history is whole, true, and that of the ledger."""
        told: list[str] = []
        arguments = argparse.Namespace(sku=SKU, epoch=None, output=str(path))
        assert export.run(arguments, self.site.orders, CLOCK, told.append) == 0, told
        assert "same" in verify.compare(verify.verify_file(str(path)), self.site.ledger, CLOCK)

    def wait_until_no_writer_is_connected(self) -> None:
        """RabbitMQ notices a moment later that one is gone."""
        queue = self.site.rebuild_parts().queue
        assert queue is not None
        eventually(lambda: queue.state().consumers == 0, 20)

    # -- commanding

    def command(self, *words: str) -> str:
        """Run ``item …`` or ``rebuild …`` as the command line would."""
        arguments = parser().parse_args(words)
        if words[0] == "item":
            return Items(self.site.ledger, self.site.shadow, self.site.orders, CLOCK).run(
                arguments, self.site.settings.items
            )
        return self._rebuild(arguments)

    def _rebuild(self, arguments: argparse.Namespace) -> str:
        parts = replace(self.site.rebuild_parts(), quiet=0.3)
        return rebuild.run(arguments, parts, self.site.settings.items)

    @contextmanager
    def one_writer_connected(self) -> Iterator[None]:
        """A writer that has said that it wants messages."""
        consumer = self.site._rabbit_consumer()
        with closing(consumer):
            consumer.receive(1, 0.01)
            yield


def delete_queues(rabbit_url: str, name: str) -> None:
    """Leave nothing in the session's broker."""
    with closing(pika.BlockingConnection(pika.URLParameters(rabbit_url))) as connection:
        for queue in (name, f"{name}.parked"):
            connection.channel().queue_delete(queue)
            connection.channel().exchange_delete(queue)
