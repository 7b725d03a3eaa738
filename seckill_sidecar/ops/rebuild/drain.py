"""Writes what is still on its way of one item: the leftovers of its outbox, and what lies in RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

from seckill_sidecar.errors import BadMessage, StoreDown, UsageError
from seckill_sidecar.model import Event
from seckill_sidecar.ops.rebuild.look import Parts, Queue, waiting_in_outbox
from seckill_sidecar.ports import Consumer, Delivery
from seckill_sidecar.workers.relay import OutboxConsumer
from seckill_sidecar.workers.writer import Writer

PATIENCE = 600.0
"""Seconds for each of the two."""


class Drain:
    """Drains one item's outbox, then the queue until it was quiet about the item for a while."""

    def __init__(self, parts: Parts, sku: str) -> None:
        self._parts = parts
        self._sku = sku
        self._monotonic = parts.clock.monotonic

    def run(self) -> None:
        """Return when nothing of the item is on its way. Raises ``StoreError``."""
        parts, sku = self._parts, self._sku
        if waiting_in_outbox(parts.ledger, sku):
            consumer = OutboxConsumer(parts.ledger, parts.clock, only=sku)
            self._work(parts.writer(consumer), lambda: not waiting_in_outbox(parts.ledger, sku))
        if parts.queue is not None:
            self._drain_queue(parts.queue)

    def _drain_queue(self, queue: Queue) -> None:
        """The queue holds other items' events as well, which may go on coming: only what was there is waited for."""
        before = queue.state().messages
        with closing(_Listening(queue.consumer(), self._parts, self._sku)) as consumer:
            self._work(self._parts.writer(consumer), lambda: self._nothing_is_left(queue, consumer, before))

    def _nothing_is_left(self, queue: Queue, consumer: _Listening, before: int) -> bool:
        """That nothing comes is not enough: a broker that hangs sends nothing either, so it is asked."""
        if consumer.quiet_for() < self._parts.quiet:
            return False
        state = queue.state()
        if state.consumers > 1:
            raise UsageError(
                f"{state.consumers - 1} writers have connected to RabbitMQ meanwhile; what they have in hand can't be "
                "seen. Stop all of them (systemctl stop 'seckill-writer@*'), and run this again"
            )
        return consumer.taken >= before or not state.messages

    def _work(self, writer: Writer, done: Callable[[], bool]) -> None:
        give_up_at = self._monotonic() + PATIENCE
        try:
            while writer.step() or not (writer.is_idle and done()):
                if self._monotonic() > give_up_at:
                    raise StoreDown("broker", f"events of {self._sku} still come after {PATIENCE:g} s; who sells it?")
        finally:
            writer.release()


class _Listening:
    """A consumer, and when it last received an event of the item."""

    def __init__(self, consumer: Consumer, parts: Parts, sku: str) -> None:
        self._consumer = consumer
        self._monotonic = parts.clock.monotonic
        self._sku = sku
        self._heard_at = self._monotonic()
        self.taken = 0
        """Received for the first time: what a broken connection makes come again is not counted twice."""

    def quiet_for(self) -> float:
        return self._monotonic() - self._heard_at

    def receive(self, most: int, linger: float) -> list[Delivery]:
        deliveries = self._consumer.receive(most, linger)
        self.taken += sum(not delivery.redelivered for delivery in deliveries)
        if any(_item_of(delivery) == self._sku for delivery in deliveries):
            self._heard_at = self._monotonic()
        return deliveries

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        self._consumer.ack(deliveries)

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._consumer.reject(delivery, reason)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        self._consumer.release(deliveries)

    def close(self) -> None:
        self._consumer.close()


def _item_of(delivery: Delivery) -> str:
    try:
        return Event.decode(delivery.body).order.item
    except BadMessage:
        return ""
