"""What the program declares in RabbitMQ: where orders wait for the writer, and where those go that it can't write.

    exchange ──(routing key = queue)──► orders queue ──(rejected)──► parked exchange ──► parked queue

Everything is durable. The orders queue refuses what doesn't fit (``reject-publish``) instead of dropping its oldest.
Publisher and consumer both declare it whenever they connect, so that neither must be there first, and what an operator
deleted by mistake comes back.
"""

from __future__ import annotations

from typing import Any

from seckill_sidecar.settings.schema import BrokerSettings

_DELIVERY_LIMIT = 100
"""Deliveries of one message that a quorum queue tries before it parks it.

A message that ends the writer each time would otherwise come back for ever. It counts every release and every lost
connection, so it stands far above what an evening of restarts causes: parking a good order needs an operator.
"""


def declare_topology(channel: Any, settings: BrokerSettings) -> None:
    """Declare exchanges, queues and bindings; harmless if they exist with the same arguments.

    On pika's asynchronous channel nothing is waited for: a refusal closes the channel, and the answer to the channel's
    next synchronous call shows that all was accepted. On a blocking channel each call raises by itself.
    """
    channel.exchange_declare(exchange=settings.parked, exchange_type="direct", durable=True)
    channel.queue_declare(queue=settings.parked, durable=True, arguments=parked_arguments(settings))
    channel.queue_bind(queue=settings.parked, exchange=settings.parked, routing_key=settings.parked)
    channel.exchange_declare(exchange=settings.exchange, exchange_type="direct", durable=True)
    channel.queue_declare(queue=settings.queue, durable=True, arguments=orders_arguments(settings))
    channel.queue_bind(queue=settings.queue, exchange=settings.exchange, routing_key=settings.queue)


def orders_arguments(settings: BrokerSettings) -> dict[str, Any]:
    """What the orders queue is declared with."""
    arguments: dict[str, Any] = {
        "x-overflow": "reject-publish",
        "x-max-length": settings.max_length,
        "x-dead-letter-exchange": settings.parked,
        "x-dead-letter-routing-key": settings.parked,
    }
    if settings.quorum:
        arguments |= {
            "x-queue-type": "quorum",
            "x-delivery-limit": _DELIVERY_LIMIT,
            # By default a quorum queue forgets a dead letter that the parked queue could not take.
            "x-dead-letter-strategy": "at-least-once",
        }
    return arguments


def parked_arguments(settings: BrokerSettings) -> dict[str, Any]:
    """What the parked queue is declared with."""
    return {"x-queue-type": "quorum"} if settings.quorum else {}
