"""One connection with one channel, from its opening to its end."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pika import SelectConnection
from pika.exceptions import AMQPConnectionError

from seckill_sidecar.adapters.broker import faults
from seckill_sidecar.adapters.broker.loop import Loop
from seckill_sidecar.adapters.broker.target import Target
from seckill_sidecar.adapters.broker.topology import declare_topology
from seckill_sidecar.settings.schema import BrokerSettings

log = logging.getLogger(__name__)


class Connection(SelectConnection):  # type: ignore[misc]
    """pika's connection, which sends what belongs together in one piece.

    A message is three frames, and pika sends each by itself; sending is what publishing costs most.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._held: list[bytes] | None = None
        super().__init__(*args, **kwargs)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send all frames of the body as one piece at its end."""
        held: list[bytes] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            if held:
                self._output_marshaled_frames(held)

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        if self._held is not None:
            self._held.extend(marshaled_frames)
        else:
            super()._output_marshaled_frames([b"".join(marshaled_frames)])


class Session(ABC):
    """A connection and its channel, which open together and end together, once.

        open ──► connection ──► channel ──► topology ──► ready ──► over
                     └────────────┴────────────┴────────────────────▲

    A broken channel ends its connection too: reconnecting is then the only way of recovering, and is always practised.
    Whatever belongs to a session (delivery tags, unconfirmed messages) ends with it, so that nothing late of an
    earlier session can be taken for something of this one. All methods run in the loop's thread.
    """

    def __init__(self, loop: Loop, target: Target, settings: BrokerSettings) -> None:
        self.loop = loop
        self.was_ready = False
        self.failure: faults.Failure | None = None
        """Why it is over; None while it isn't."""
        self._target = target
        self._settings = settings
        self._connection: Any = None
        self._channel: Any = None
        self._dropped = False

    # -- what each kind of session fills in -----------------------------------------------------------

    @abstractmethod
    def _prepare(self, channel: Any) -> None:
        """Make the channel fit for its use, the topology being declared; call ``_become_ready`` when it is."""

    @abstractmethod
    def _on_ready(self) -> None:
        """It may be used from now on."""

    @abstractmethod
    def _on_over(self, failure: faults.Failure) -> None:
        """It may not be used any more. Called once, also if it never was ready."""

    def _on_blocked(self, reason: str) -> None:  # noqa: B027 - only publishers care
        """The broker takes no messages for now (a memory or disk alarm)."""

    def _on_unblocked(self) -> None:  # noqa: B027
        """The broker takes messages again."""

    # -- its life ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to connect. The loop stops when the connection is gone, however that came about."""
        self._connection = Connection(
            self._target.parameters,
            on_open_callback=self._connected,
            on_open_error_callback=self._disconnected,
            on_close_callback=self._disconnected,
            custom_ioloop=self.loop,
        )
        # pika bounds the handshake, but neither the look-up of the host's name nor what follows the handshake.
        self.loop.call_later(self._target.opening, self._give_up_opening)

    def leave(self) -> None:
        """End it politely, so that all that was written arrives; a peer that won't answer is dropped in time."""
        if not self._connection.is_open:
            self._drop("closed while connecting")
            return
        self.loop.call_later(self._target.parting, lambda: self._drop("no answer to the goodbye"))
        self._connection.close()

    def end(self, error: BaseException) -> None:
        """Declare it over; only the first reason counts."""
        if self.failure is None:
            self.failure = faults.lost(error, self._target.address)
            self._on_over(self.failure)

    def _become_ready(self) -> None:
        if self.failure is None:
            self.was_ready = True
            log.info("%s: connected", self._target.address)
            self._on_ready()

    # -- callbacks of pika --------------------------------------------------------------------------------

    def _connected(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda _, frame: self._on_blocked(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda _, __: self._on_unblocked())
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._channel_closed)
        declare_topology(channel, self._settings)
        self._prepare(channel)

    def _channel_closed(self, _channel: Any, error: BaseException) -> None:
        self.end(error)
        if self._connection.is_open:
            self.leave()

    def _disconnected(self, _connection: Any, error: BaseException) -> None:
        self.end(error)
        self.loop.stop()

    def _give_up_opening(self) -> None:
        if not self.was_ready:
            self._drop(f"not ready to use within {self._target.opening:g} s")

    def _drop(self, reason: str) -> None:
        """Cut the connection off at once, whatever state it is in."""
        if self._dropped or self._connection.is_closed:
            return
        self._dropped = True
        # The heartbeat's own way out. pika has no public one that doesn't wait for the peer's answer.
        self._connection._terminate_stream(AMQPConnectionError(reason))
