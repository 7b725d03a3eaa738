"""What the broker's tests say: publish, receive, and what an operator does to exchanges and queues from outside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Thread
from typing import Any

import pika
from stack import eventually

from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.ports import Delivery
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

CLOCK = SystemClock()
BODY = b'{"v":1}'
UNHURRIED = Timeouts.model_validate({"broker": "5s", "connect": "2s"})

_names = count(1)


@dataclass(frozen=True)
class Message:
    """One message as RabbitMQ holds it."""

    id: str
    body: bytes
    properties: Any


class Queues:
    """One test's exchange and queues, looked at and changed by somebody else."""

    def __init__(self, url: str, **settings: object) -> None:
        self.url = url
        name = f"test-{os.getpid()}-{next(_names)}"
        names = {"exchange": name, "queue": f"{name}.orders", "parked": f"{name}.parked"}
        self.settings = BrokerSettings.model_validate(names | settings)

    def depth(self, queue: str = "") -> int:
        """Messages that are ready in the orders queue, or in another."""
        with self._channel() as channel:
            declared = channel.queue_declare(queue or self.settings.queue, passive=True)
            return int(declared.method.message_count)

    def read(self, queue: str = "") -> list[Message]:
        """Take out all that is in the orders queue, or in another."""
        with self._channel() as channel:
            got = iter(lambda: channel.basic_get(queue or self.settings.queue, auto_ack=True), (None, None, None))
            return [Message(properties.message_id, body, properties) for _, properties, body in got]

    def unbind(self) -> None:
        with self._channel() as channel:
            channel.queue_unbind(self.settings.queue, self.settings.exchange, self.settings.queue)

    def bind(self) -> None:
        with self._channel() as channel:
            channel.queue_bind(self.settings.queue, self.settings.exchange, self.settings.queue)

    def delete_exchange(self) -> None:
        with self._channel() as channel:
            channel.exchange_delete(self.settings.exchange)

    def delete_queue(self) -> None:
        with self._channel() as channel:
            channel.queue_delete(self.settings.queue)

    def delete_all(self) -> None:
        with self._channel() as channel:
            for queue in (self.settings.queue, self.settings.parked):
                channel.queue_delete(queue)
            for exchange in (self.settings.exchange, self.settings.parked):
                channel.exchange_delete(exchange)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()


@dataclass
class Attempt:
    """What came of one ``publish``: confirmed, unless there is an error; and how long it took."""

    id: str
    error: StoreError | None = None
    seconds: float = 0.0


def publish(broker: RabbitBroker, message_id: str, within: float = 5.0) -> Attempt:
    """Publish one message, and say what came of it."""
    attempt = Attempt(message_id)
    began = time.monotonic()
    try:
        broker.publish(message_id, BODY, Deadline.after(within, CLOCK))
    except StoreError as error:
        attempt.error = error
    attempt.seconds = time.monotonic() - began
    return attempt


def publish_until_confirmed(broker: RabbitBroker, message_id: str, within: float = 20.0) -> None:
    """Publish one message again and again, as the relay does."""
    eventually(lambda: publish(broker, message_id, 1.0).error is None, within, f"{message_id} is confirmed")


@dataclass
class Crowd:
    """Callers that publish at the same moment, each in a thread of its own."""

    broker: RabbitBroker
    attempts: list[Attempt] = field(default_factory=list)
    _threads: list[Thread] = field(default_factory=list)

    def publish(self, *message_ids: str, within: float = 5.0) -> Crowd:
        """Begin to publish these, and don't wait."""
        for message_id in message_ids:
            thread = Thread(target=lambda one=message_id: self.attempts.append(publish(self.broker, one, within)))
            thread.start()
            self._threads.append(thread)
        return self

    def outcomes(self) -> list[Attempt]:
        """Wait for all; what came of each, in the order of their ends."""
        for thread in self._threads:
            thread.join()
        return self.attempts


def receive(consumer: RabbitConsumer, count: int, within: float = 20.0) -> list[Delivery]:
    """Receive exactly ``count`` deliveries; a lost connection is waited for."""
    received: list[Delivery] = []

    def enough() -> bool:
        try:
            received.extend(consumer.receive(count - len(received), 0.2))
        except StoreError:
            received.clear()
        return len(received) == count

    eventually(enough, within, f"{count} deliveries")
    return received


def expect_nothing(consumer: RabbitConsumer) -> None:
    """Find a connected consumer with nothing to receive; a lost connection is waited for."""

    def connected() -> bool:
        try:
            assert consumer.receive(1, 0.2) == []
        except StoreError:
            return False
        return True

    eventually(connected, 20.0, "a connected consumer")


Open = Callable[..., RabbitBroker]
OpenConsumer = Callable[..., RabbitConsumer]
