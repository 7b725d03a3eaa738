"""How a queue stands, asked once over a connection of its own. For people, and for the fence."""

from __future__ import annotations

from typing import Any

from pika import SelectConnection
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from seckill_sidecar.adapters.broker import faults
from seckill_sidecar.adapters.broker.loop import Loop
from seckill_sidecar.adapters.broker.target import Target, target
from seckill_sidecar.ports import QueueState
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_NOT_FOUND = 404


def queue_state(url: str, settings: BrokerSettings, timeouts: Timeouts, name: str, queue: str) -> QueueState:
    """A queue's messages and consumers, none if there is no such queue. Raises ``StoreError``.

    Within the time for connecting and for one answer, also if the broker hangs in the middle.
    """
    loop = Loop()
    try:
        question = _Question(loop, target(url, settings, timeouts, name), queue)
        loop.call_later(timeouts.connect + timeouts.broker, question.give_up)
        loop.start()
    finally:
        loop.close()
    return question.answer()


class _Question:
    """One connection, one channel, one question. pika's blocking connection would wait for an answer for ever."""

    def __init__(self, loop: Loop, where: Target, queue: str) -> None:
        self._loop = loop
        self._where = where
        self._queue = queue
        self._state: QueueState | None = None
        self._error: BaseException | None = None
        self._connection: Any = SelectConnection(
            where.parameters,
            on_open_callback=self._connected,
            on_open_error_callback=self._over,
            on_close_callback=self._over,
            custom_ioloop=loop,
        )

    def give_up(self) -> None:
        """Cut the connection off, whatever state it is in."""
        self._connection._terminate_stream(AMQPConnectionError("no answer in time"))

    def answer(self) -> QueueState:
        """What was told, once the loop has stopped."""
        if self._state is None:
            error = self._error or AMQPConnectionError("it told nothing")
            raise faults.lost(error, self._where.address).error() from error
        return self._state

    # -- callbacks of pika --------------------------------------------------------------------------------

    def _connected(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._ask)

    def _ask(self, channel: Any) -> None:
        channel.add_on_close_callback(self._refused)
        channel.queue_declare(self._queue, passive=True, callback=self._told)

    def _told(self, found: Any) -> None:
        self._state = QueueState(int(found.method.message_count), int(found.method.consumer_count))
        self._connection.close()

    def _refused(self, _channel: Any, error: BaseException) -> None:
        if isinstance(error, ChannelClosedByBroker) and error.reply_code == _NOT_FOUND:
            self._state = QueueState(0, 0)
        self._error = self._error or error
        if self._connection.is_open:
            self._connection.close()

    def _over(self, _connection: Any, error: BaseException) -> None:
        self._error = self._error or error
        self._loop.stop()
