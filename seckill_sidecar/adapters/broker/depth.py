"""How a queue stands, asked once over a connection of its own. For people, and for the fence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pika.exceptions import AMQPError, ChannelClosedByBroker

from seckill_sidecar.adapters.broker import faults, question
from seckill_sidecar.adapters.broker.target import target
from seckill_sidecar.ports import QueueState
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_NOT_FOUND = 404


def queue_state(url: str, settings: BrokerSettings, timeouts: Timeouts, name: str, queue: str) -> QueueState:
    """A queue's messages and consumers, none if there is no such queue. Raises ``StoreError``.

    Within the time for connecting and for one answer, also if the broker hangs in the middle.
    """

    def ask(channel: Any, tell: Callable[[QueueState], None]) -> None:
        channel.queue_declare(queue, passive=True, callback=lambda found: tell(_state(found.method)))

    where = target(url, settings, timeouts, name)
    try:
        state: QueueState = question.put(where, timeouts.connect + timeouts.broker, ask)
    except (AMQPError, OSError) as error:
        if isinstance(error, ChannelClosedByBroker) and error.reply_code == _NOT_FOUND:
            return QueueState(0, 0)
        raise faults.lost(error, where.address).error() from error
    return state


def _state(told: Any) -> QueueState:
    return QueueState(int(told.message_count), int(told.consumer_count))
