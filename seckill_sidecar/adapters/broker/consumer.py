"""The writer's side: consuming with acknowledgements."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from pika import BasicProperties
from pika.exceptions import AMQPError, ConsumerCancelled
from pika.spec import Basic

from seckill_sidecar.adapters.broker.faults import Failure
from seckill_sidecar.adapters.broker.inbox import Inbox, Verb
from seckill_sidecar.adapters.broker.keeper import Keeper
from seckill_sidecar.adapters.broker.loop import Loop
from seckill_sidecar.adapters.broker.session import Session
from seckill_sidecar.adapters.broker.target import Target, target
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.ports import Delivery
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

log = logging.getLogger(__name__)


class RabbitConsumer:
    """Consumes the orders queue for one thread, which may be busy elsewhere for as long as it likes.

    The connection lives in a thread of its own, which answers heartbeats and takes deliveries in, up to ``prefetch``.
    (With less than the largest batch, a batch always waits out its linger.) When the connection is lost, RabbitMQ
    delivers again what was not acknowledged: answers to it raise ``StoreDown``, and so does ``receive`` until the
    connection is back.
    """

    def __init__(
        self,
        url: str,
        settings: BrokerSettings,
        timeouts: Timeouts,
        clock: Clock,
        name: str,
        prefetch: int,
        queue: str = "",
    ) -> None:
        """``name`` is what RabbitMQ shows of this process; ``queue`` another one than that of the orders.

        Raises ``StoreError`` if the URL can't be read.
        """
        self._target = target(url, settings, timeouts, name)
        self._settings = settings
        self._prefetch = prefetch
        self._queue = queue or settings.queue
        self._name = name
        self._inbox = Inbox(clock)
        self._keeper: Keeper | None = None
        self._closed = False

    def receive(self, most: int, linger: float) -> list[Delivery]:
        """Up to ``most`` deliveries: waits up to ``linger`` seconds for the first and as long for the rest.

        The first call connects, and waits for that as well, a few connect timeouts at most.
        """
        if self._keeper is None and not self._closed:
            self._keeper = Keeper(self._make_session, name=f"{self._name}-consumer")
            self._keeper.start()
        self._inbox.await_session(first_within=self._target.opening, else_within=linger)
        return self._inbox.take(most, linger)

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """They are in the database (or parked there). One frame for a whole batch, if it leaves none before it open."""
        self._inbox.settle(deliveries, lambda channel, tag, multiple: channel.basic_ack(tag, multiple))

    def reject(self, delivery: Delivery, reason: str) -> None:
        """To the parked queue. AMQP carries no reason, so it is logged with the message's id."""
        self._inbox.settle([delivery], lambda channel, tag, _: channel.basic_reject(tag, requeue=False))
        log.warning("message %s parked: %s", delivery.message_id, reason)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Back to the queue, untouched. Those of a lost connection are there already."""
        current = [delivery for delivery in deliveries if self._inbox.holds(delivery)]
        self._inbox.settle(current, lambda channel, tag, multiple: channel.basic_nack(tag, multiple, requeue=True))

    def close(self) -> None:
        """Give unacknowledged deliveries back and disconnect. Answers given before still arrive."""
        self._closed = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close(within=2 * self._target.parting)
        self._inbox.lose(Failure(StoreDown, "closed"))

    def _make_session(self, loop: Loop) -> Session:
        return ConsumeSession(loop, self._target, self._settings, self._inbox, self._prefetch, self._queue)


class ConsumeSession(Session):
    """One connection's consuming: deliveries go to the inbox, answers come from it."""

    def __init__(
        self, loop: Loop, target: Target, settings: BrokerSettings, inbox: Inbox, prefetch: int, queue: str
    ) -> None:
        super().__init__(loop, target, settings)
        self._inbox = inbox
        self._prefetch = prefetch
        self._queue = queue
        self._base = 0

    def answer(self, verb: Verb, tags: list[int], whole: bool) -> None:
        """Send an answer to these deliveries, after all that were given before. From any thread."""
        own = [tag - self._base for tag in tags]
        self.loop.add_callback_threadsafe(lambda: self._send(verb, own, whole))

    def _prepare(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.add_on_cancel_callback(self._cancelled)
        self._base = self._inbox.open(self.answer)
        channel.basic_consume(self._queue, self._arrived, callback=lambda _: self._become_ready())

    def _on_ready(self) -> None:
        """Deliveries may have come before; nothing is left to do."""

    def _on_over(self, failure: Failure) -> None:
        self._inbox.lose(failure)

    def _arrived(self, _channel: Any, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        traceparent = (properties.headers or {}).get("traceparent", "")
        self._inbox.arrived(
            Delivery(
                tag=self._base + method.delivery_tag,
                body=body,
                message_id=properties.message_id or "",
                redelivered=method.redelivered,
                traceparent=traceparent if isinstance(traceparent, str) else "",
            )
        )

    def _cancelled(self, _frame: Any) -> None:
        """The queue was deleted, or its node went away."""
        log.error(
            "queue %s was deleted or its node is gone: what it held is lost to RabbitMQ; run: seckill-sidecar audit",
            self._settings.queue,
        )
        self.end(ConsumerCancelled(f"queue {self._queue} is gone"))
        self.leave()

    def _send(self, verb: Verb, tags: list[int], whole: bool) -> None:
        if self.failure is not None:
            return  # all of them will be delivered again
        try:
            for tag in tags[-1:] if whole else tags:
                verb(self._channel, tag, whole)
        except AMQPError as error:
            log.debug("answer to %d deliveries not sent: %r", len(tags), error)
