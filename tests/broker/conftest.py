from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from broker_words import CLOCK, UNHURRIED, Open, OpenConsumer, Queues
from stack import RabbitMQ

from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer
from seckill_sidecar.settings.schema import Timeouts


@pytest.fixture
def queues(rabbit_url: str, rabbit_server: RabbitMQ) -> Iterator[Queues]:
    """Exchange and queues of the test's own. Declared by the program, not by this."""
    queues = Queues(rabbit_url)
    yield queues
    rabbit_server.heal()
    queues.delete_all()


@pytest.fixture
def open_broker() -> Iterator[Open]:
    """Make a publishing side: ``open_broker(queues, url=…, timeouts=…)``."""
    with ExitStack() as opened:

        def make(queues: Queues, url: str = "", timeouts: Timeouts = UNHURRIED) -> RabbitBroker:
            broker = RabbitBroker(url or queues.url, queues.settings, timeouts, CLOCK, "test")
            opened.callback(broker.close)
            return broker

        yield make


@pytest.fixture
def open_consumer() -> Iterator[OpenConsumer]:
    """Make a consuming side: ``open_consumer(queues, prefetch=…)``."""
    with ExitStack() as opened:

        def make(queues: Queues, url: str = "", prefetch: int = 1000) -> RabbitConsumer:
            consumer = RabbitConsumer(url or queues.url, queues.settings, UNHURRIED, CLOCK, "test", prefetch)
            opened.callback(consumer.close)
            return consumer

        yield make


@pytest.fixture
def broker(queues: Queues, open_broker: Open) -> RabbitBroker:
    return open_broker(queues)


@pytest.fixture
def consumer(queues: Queues, open_consumer: OpenConsumer) -> RabbitConsumer:
    return open_consumer(queues)
