"""One question to RabbitMQ, on a connection and a channel of its own, answered in time or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pika import SelectConnection
from pika.exceptions import AMQPConnectionError

from seckill_sidecar.adapters.broker.loop import Loop
from seckill_sidecar.adapters.broker.target import Target

Ask = Callable[[Any, Callable[[Any], None]], None]
"""Asks on a channel that is open, and gives the answer to its second argument; the first answer counts."""


def put(where: Target, seconds: float, ask: Ask) -> Any:
    """The answer. Raises what pika does, also if the broker hangs in the middle: within ``seconds``."""
    loop = Loop()
    try:
        question = _Question(loop, where, ask)
        loop.call_later(seconds, question.give_up)
        loop.start()
    finally:
        loop.close()
    return question.answer()


class _Question:
    """pika's blocking connection would wait for an answer for ever."""

    def __init__(self, loop: Loop, where: Target, ask: Ask) -> None:
        self._loop = loop
        self._ask = ask
        self._answers: list[Any] = []
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

    def answer(self) -> Any:
        """What was told, once the loop has stopped."""
        if self._answers:
            return self._answers[0]
        raise self._error or AMQPConnectionError("it told nothing")

    # -- callbacks of pika --------------------------------------------------------------------------------

    def _connected(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._opened)

    def _opened(self, channel: Any) -> None:
        channel.add_on_close_callback(self._refused)
        self._ask(channel, self._told)

    def _told(self, answer: Any) -> None:
        self._answers.append(answer)
        if self._connection.is_open:
            self._connection.close()

    def _refused(self, _channel: Any, error: BaseException) -> None:
        self._error = self._error or error
        if self._connection.is_open:
            self._connection.close()

    def _over(self, _connection: Any, error: BaseException) -> None:
        self._error = self._error or error
        self._loop.stop()
