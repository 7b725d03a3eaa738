"""How a queue stands is told in bounded time, or refused as a store's error: gates ask it too."""

from __future__ import annotations

from typing import Any

import pytest
from broker_words import CLOCK, Open, OpenConsumer, Queues
from stack import RabbitMQ, eventually

from seckill_sidecar.adapters.broker import question, queue_state
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.ports import QueueState
from seckill_sidecar.settings.schema import Timeouts

pytestmark = pytest.mark.gevent_too


def ask(queues: Queues, url: str = "") -> QueueState:
    return queue_state(url or queues.url, queues.settings, Timeouts(), "test", queues.settings.queue)


def test_it_tells_messages_and_consumers(queues: Queues, open_broker: Open, open_consumer: OpenConsumer) -> None:
    open_broker(queues).publish("m", b"{}", Deadline.after(10, CLOCK))
    eventually(lambda: ask(queues) == QueueState(messages=1, consumers=0))
    assert open_consumer(queues).receive(1, 5.0)
    assert ask(queues) == QueueState(messages=0, consumers=1)


def test_a_queue_that_nobody_has_declared_is_empty(queues: Queues) -> None:
    assert ask(queues) == QueueState(0, 0)


def test_nobody_there(queues: Queues) -> None:
    with pytest.raises(StoreDown, match="refused"):
        ask(queues, "amqp://127.0.0.1:1/")


def test_wrong_password(queues: Queues) -> None:
    with pytest.raises(StoreDown, match="password"):
        ask(queues, queues.url.replace("amqp://", "amqp://guest:wrong@"))


def test_a_broker_that_stands_still(queues: Queues, rabbit_server: RabbitMQ) -> None:
    rabbit_server.pause()
    with pytest.raises(StoreDown):
        ask(queues)


def test_a_broker_that_stands_still_once_it_has_let_us_in(
    queues: Queues, rabbit_server: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = question._Question._connected

    def and_then_still(self: Any, connection: Any) -> None:
        rabbit_server.pause()
        connected(self, connection)

    monkeypatch.setattr(question._Question, "_connected", and_then_still)
    with pytest.raises(StoreDown, match="no answer in time"):
        ask(queues)
