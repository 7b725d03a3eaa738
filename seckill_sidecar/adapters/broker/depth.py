"""How a queue stands, asked once over a connection of its own. For people: never reconcile on it."""

from __future__ import annotations

from pika import BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from seckill_sidecar.adapters.broker import faults
from seckill_sidecar.adapters.broker.target import target
from seckill_sidecar.ports import QueueState
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_NOT_FOUND = 404


def queue_state(url: str, settings: BrokerSettings, timeouts: Timeouts, name: str, queue: str) -> QueueState:
    """A queue's messages and consumers, none if there is no such queue. Raises ``StoreError``."""
    where = target(url, settings, timeouts, name)
    try:
        connection = BlockingConnection(where.parameters)
        try:
            found = connection.channel().queue_declare(queue, passive=True)
            return QueueState(int(found.method.message_count), int(found.method.consumer_count))
        finally:
            if connection.is_open:
                connection.close()
    except ChannelClosedByBroker as error:
        if error.reply_code == _NOT_FOUND:
            return QueueState(0, 0)
        raise faults.lost(error, where.address).error() from error
    except (AMQPError, OSError) as error:
        raise faults.lost(error, where.address).error() from error
