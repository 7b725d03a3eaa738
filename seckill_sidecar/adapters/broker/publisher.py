"""The gate's side: publishing with confirms."""

from __future__ import annotations

import os
import threading
from collections import Counter
from itertools import takewhile
from typing import Any
from weakref import WeakSet

from pika import BasicProperties, DeliveryMode
from pika.exceptions import AMQPError
from pika.spec import Basic

from seckill_sidecar.adapters.broker.faults import STORE, Failure
from seckill_sidecar.adapters.broker.in_flight import InFlight, Message
from seckill_sidecar.adapters.broker.keeper import Keeper
from seckill_sidecar.adapters.broker.loop import Loop
from seckill_sidecar.adapters.broker.session import Session
from seckill_sidecar.adapters.broker.target import Target, target
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import QueueFull, StoreDown, Unroutable
from seckill_sidecar.model import MESSAGE_VERSION
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_all_brokers: WeakSet[RabbitBroker] = WeakSet()


class RabbitBroker:
    """Publishes to RabbitMQ over one connection with one confirm channel, for any number of threads or greenlets.

    The connection is opened by the first ``publish``, in a thread of its own, so a broker made before a fork connects
    after it; and a forked child makes its own connection in any case. It reconnects by itself: while it is down,
    ``publish`` fails at once; only for the very first connection it waits, within its deadline.
    """

    def __init__(self, url: str, settings: BrokerSettings, timeouts: Timeouts, clock: Clock, name: str) -> None:
        """``name`` is what RabbitMQ shows of this process. Raises ``StoreError`` if the URL can't be read."""
        self._target = target(url, settings, timeouts, name)
        self._settings = settings
        self._timeouts = timeouts
        self._clock = clock
        self._name = name
        self._in_flight = InFlight(settings.in_flight)
        self._starting = threading.Lock()
        self._keeper: Keeper | None = None
        self._closed = False
        _all_brokers.add(self)

    def publish(self, message_id: str, body: bytes, deadline: Deadline, traceparent: str = "") -> None:
        """Return once RabbitMQ has confirmed the message as routed and stored.

        ``Unroutable``: it has no queue. ``QueueFull``: the queue refused it. ``OutcomeUnknown``: it was sent, and no
        confirm came within the deadline or the broker timeout. ``StoreDown``, ``DeadlinePassed``, ``TooBusy``: it was
        not sent, and won't be.
        """
        if self._closed:
            raise StoreDown(STORE, "closed")
        if self._keeper is None:
            self._start()
        message = Message(message_id, body, traceparent, deadline)
        self._in_flight.hand_over(message)
        try:
            message.wait(deadline.within(self._timeouts.broker))
        finally:
            self._in_flight.withdraw(message)  # also if this greenlet is being killed
        if message.failure is not None:
            raise message.failure.error()

    def close(self) -> None:
        """Wait for what is under way, at most the broker timeout, then disconnect. Later calls do nothing."""
        self._closed = True
        with self._starting:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            self._in_flight.drain(self._timeouts.broker)
            keeper.close(within=2 * self._target.parting)

    def _start(self) -> None:
        with self._starting:
            if self._keeper is None and not self._closed:
                self._keeper = Keeper(self._make_session, name=f"{self._name}-publisher")
                self._keeper.start()

    def _make_session(self, loop: Loop) -> Session:
        return PublishSession(loop, self._target, self._settings, self._clock, self._in_flight)

    def _after_fork(self) -> None:
        """In the child: the connection, and every lock that some thread may have held, are the parent's."""
        if self._keeper is not None:
            self._keeper.abandon()
        self._in_flight = InFlight(self._settings.in_flight)
        self._starting = threading.Lock()
        self._keeper = None


class PublishSession(Session):
    """One connection's publishing: delivery tags, confirms and returns."""

    def __init__(self, loop: Loop, target: Target, settings: BrokerSettings, clock: Clock, in_flight: InFlight) -> None:
        super().__init__(loop, target, settings)
        self._clock = clock
        self._in_flight = in_flight
        self._last_tag = 0
        self._unconfirmed: dict[int, Message] = {}  # by delivery tag, ascending
        self._returned: Counter[str] = Counter()

    def send_waiting(self) -> None:
        """Publish all that was handed over."""
        if self.failure is None:
            with self._connection.together():
                for message in self._in_flight.take():
                    self._send(message)

    def _prepare(self, channel: Any) -> None:
        channel.add_on_return_callback(self._remember_return)
        channel.confirm_delivery(self._confirm, callback=lambda _: self._become_ready())

    def _on_ready(self) -> None:
        self._in_flight.open(wake=lambda: self.loop.add_callback_threadsafe(self.send_waiting))

    def _on_blocked(self, reason: str) -> None:
        self._in_flight.refuse(Failure(StoreDown, f"it takes no messages for now ({reason})"))

    def _on_unblocked(self) -> None:
        self._in_flight.accept()

    def _on_over(self, failure: Failure) -> None:
        self._in_flight.lose(failure)

    def _send(self, message: Message) -> None:
        try:
            self._channel.basic_publish(
                self._settings.exchange, self._settings.queue, message.body, self._properties(message), mandatory=True
            )
        except AMQPError as error:  # the channel is closing, or the message can't be encoded: nothing went out
            self._in_flight.settle([(message, Failure(StoreDown, f"could not be sent: {error!r}", error))])
        else:
            self._last_tag += 1
            self._unconfirmed[self._last_tag] = message

    def _properties(self, message: Message) -> BasicProperties:
        headers: dict[str, Any] = {"x-seckill-schema": MESSAGE_VERSION}
        if message.traceparent:
            headers["traceparent"] = message.traceparent
        return BasicProperties(
            content_type="application/json",
            delivery_mode=DeliveryMode.Persistent,
            message_id=message.id,
            timestamp=int(self._clock.wall()),
            headers=headers,
        )

    def _remember_return(self, _channel: Any, _method: Any, properties: BasicProperties, _body: bytes) -> None:
        """The broker had no queue for it. A confirm follows all the same, which must not read as success.

        Counted by message id, as the return carries no tag. Of two in flight with one id, either may be taken for the
        other: they are the same event, and the caller of one that was stored publishes it once more.
        """
        self._returned[properties.message_id] += 1

    def _confirm(self, frame: Any) -> None:
        self._in_flight.settle(
            [(message, self._outcome(frame.method, message)) for message in self._meant(frame.method)]
        )

    def _meant(self, confirm: Basic.Ack | Basic.Nack) -> list[Message]:
        """The messages that a confirm speaks of: one, or with ``multiple`` all up to it."""
        last = confirm.delivery_tag
        tags = list(takewhile(lambda tag: tag <= last, self._unconfirmed)) if confirm.multiple else [last]
        return [self._unconfirmed.pop(tag) for tag in tags if tag in self._unconfirmed]

    def _outcome(self, confirm: Basic.Ack | Basic.Nack, message: Message) -> Failure | None:
        if isinstance(confirm, Basic.Nack):
            return Failure(QueueFull, f"queue {self._settings.queue} refused {message.id}; is the writer behind?")
        if not self._returned[message.id]:
            return None
        self._returned -= Counter([message.id])
        return Failure(
            Unroutable, f"exchange {self._settings.exchange} has no queue bound for key {self._settings.queue}"
        )


def _after_fork_in_child() -> None:
    for broker in _all_brokers:
        broker._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
