"""Each way in which a RabbitMQ can be other than the program declares it, on a real one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import pika
import pytest
from doctor_words import Found, Practice
from stack import RabbitMQ, eventually

from seckill_sidecar.adapters.broker import RabbitConsumer, declare_topology
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

TIMEOUTS = Timeouts.model_validate({"broker": "5s", "connect": "3s"})
_names = count(1)


class Queues:
    """One test's exchange and queues, as the program declares them, or otherwise."""

    def __init__(self, url: str, practice: Practice) -> None:
        self.url = url
        self.name = f"doctor-{os.getpid()}-{next(_names)}"
        names = {"exchange": self.name, "queue": f"{self.name}.orders", "parked": f"{self.name}.parked"}
        self.settings = BrokerSettings.model_validate(names)
        self._section: dict[str, object] = {**names}
        self._practice = practice

    def limit(self, most: int) -> None:
        """Let the orders queue hold so many messages."""
        self.settings = self.settings.model_copy(update={"max_length": most})
        self._section["max_length"] = most

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def declare(self) -> None:
        with self.channel() as channel:
            declare_topology(channel, self.settings)

    def delete(self) -> None:
        with self.channel() as channel:
            for queue in (self.settings.queue, self.settings.parked):
                channel.queue_delete(queue)
            for exchange in (self.settings.exchange, self.settings.parked):
                channel.exchange_delete(exchange)

    def examine(self, url: str = "", **sections: Any) -> Found:
        timeouts = {"broker": "3s", "connect": "3s"}
        return self._practice.examine(
            stores={"broker": url or self.url}, **{"broker": self._section, "timeouts": timeouts} | sections
        )


@pytest.fixture
def queues(rabbit_url: str, rabbit_server: RabbitMQ, practice: Practice) -> Iterator[Queues]:
    queues = Queues(rabbit_url, practice)
    yield queues
    rabbit_server.heal()
    queues.delete()


def test_a_broker_with_a_writer_is_well(queues: Queues) -> None:
    consumer = RabbitConsumer(queues.url, queues.settings, TIMEOUTS, SystemClock(), "test", prefetch=10)

    def connected() -> bool:
        try:
            return consumer.receive(1, 0.1) == []
        except StoreError:
            return False

    with closing(consumer):
        eventually(connected, 20, "a connected writer")
        found = queues.examine()
    found.expect_nothing_to_mend("rabbitmq")
    found.expect("ok", "rabbitmq", "confirms", "routed, and confirmed")
    found.expect("ok", "rabbitmq", "writers", "1 connected")
    with queues.channel() as channel:
        assert channel.queue_declare(queues.settings.queue, passive=True).method.message_count == 0


def test_what_no_process_has_declared_yet_is_named_and_not_made(queues: Queues) -> None:
    for _ in range(2):
        found = queues.examine()
        found.expect("warn", "rabbitmq", "topology", f"{queues.name}.orders")
        found.expect("skipped", "rabbitmq", "confirms")


def test_a_queue_without_a_writer_is_found(queues: Queues) -> None:
    queues.declare()
    queues.examine().expect("warn", "rabbitmq", "writers", "seckill-writer@1")


def test_parked_messages_are_found(queues: Queues) -> None:
    queues.declare()
    with queues.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", queues.settings.parked, b"?")
    queues.examine().expect("warn", "rabbitmq", "parked", "1 messages lie in the parked queue")


def test_a_queue_that_fills_up_is_found(queues: Queues) -> None:
    queues.limit(2)
    queues.declare()
    with queues.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish("", queues.settings.queue, b"?")
    queues.examine().expect("warn", "rabbitmq", "backlog", "1 of 2 messages wait")


Otherwise = Callable[[Any, BrokerSettings], object]
GOOD = {"x-max-length": 1_000_000, "x-overflow": "reject-publish"}


def _orders(durable: bool = True, **arguments: Any) -> Otherwise:
    """The orders queue, with these arguments."""

    def declare(channel: Any, settings: BrokerSettings) -> None:
        dead = {"x-dead-letter-exchange": settings.parked, "x-dead-letter-routing-key": settings.parked}
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        channel.queue_delete(settings.queue)
        wanted = {**GOOD, **dead, **named}
        channel.queue_declare(
            settings.queue, durable=durable, arguments={name: value for name, value in wanted.items() if value}
        )

    return declare


def _exchange(kind: str, durable: bool) -> Otherwise:
    def declare(channel: Any, settings: BrokerSettings) -> None:
        channel.exchange_delete(settings.exchange)
        channel.exchange_declare(settings.exchange, kind, durable=durable)

    return declare


def _transient_parked(channel: Any, settings: BrokerSettings) -> None:
    channel.queue_delete(settings.parked)
    channel.queue_declare(settings.parked, durable=False)


@pytest.mark.parametrize(
    ("otherwise", "words"),
    [
        (_orders(x_overflow="drop-head"), "x-overflow"),
        (_orders(x_overflow=None), "x-overflow"),
        (_orders(x_max_length=10), "x-max-length"),
        (_orders(x_dead_letter_exchange=None, x_dead_letter_routing_key=None), "x-dead-letter-exchange"),
        (_orders(x_message_ttl=60_000), "x-message-ttl"),
        (_orders(durable=False), "durable"),
        (_orders(x_queue_type="quorum"), "x-queue-type"),
        (_transient_parked, "durable"),
        (_exchange("fanout", durable=True), "type"),
        (_exchange("direct", durable=False), "durable"),
    ],
)
def test_what_was_declared_otherwise_is_found(queues: Queues, otherwise: Otherwise, words: str) -> None:
    queues.declare()
    with queues.channel() as channel:
        otherwise(channel, queues.settings)
    queues.examine().expect("fail", "rabbitmq", "topology", f"inequivalent arg '{words}'")


def test_an_alarm_is_found(queues: Queues, rabbit_server: RabbitMQ) -> None:
    queues.declare()
    rabbit_server.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        queues.examine().expect("fail", "rabbitmq", "confirms", "alarm")
    finally:
        rabbit_server.ctl("set_vm_memory_high_watermark", "0.6")


def test_a_wrong_password_is_found_and_not_shown(queues: Queues) -> None:
    found = queues.examine(url=queues.url.replace(":guest@", ":hidden@"))
    found.expect("fail", "rabbitmq", "reachable", "refused the user name or the password")
    assert "hidden" not in str(found.findings)


def test_a_broker_that_hangs_is_given_up(queues: Queues, rabbit_server: RabbitMQ) -> None:
    rabbit_server.pause()
    found = queues.examine(timeouts={"broker": "200ms", "connect": "200ms"})
    found.expect("fail", "rabbitmq", "reachable", "")
