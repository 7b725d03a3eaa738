"""One connection to the storefront: h11 keeps the protocol, this file the sockets and the waiting."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import h11

from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import OutcomeUnknown, StoreDown

BLOCK = 65536
"""Bytes read from a socket at once; all that one request needs of memory, however long its body."""

_LONGEST_HEAD = 65536

_FOREIGN = (OSError, h11.RemoteProtocolError)


class Wire:
    """One connection. It carries one exchange at a time: send, head, pieces, and again if ``reusable``.

    Every wait for the storefront ends after ``patience`` seconds. Failures are ``StoreDown`` as long as
    not a byte was sent, ``OutcomeUnknown`` from then on.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        connection.settimeout(patience)
        self._socket = connection
        self._patience = patience
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._head: h11.Response | None = None
        self._sent = False
        self._due: Deadline | None = None
        self._hint: Callable[[h11.InformationalResponse], None] = lambda _: None

    @property
    def reusable(self) -> bool:
        """Whether both sides have finished and neither wants to close."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return done and self._http.trailing_data == (b"", False)

    @property
    def stale(self) -> bool:
        """Whether the storefront has closed an idle connection, or said something that nobody asked."""
        with self._without_waiting():
            return self._spoken()

    def due(self, deadline: Deadline) -> None:
        """Let the next exchange be over by then, however much arrives meanwhile. Said before ``send``, each time."""
        self._due = deadline

    def send(
        self, request: h11.Request, body: Iterable[bytes], hint: Callable[[h11.InformationalResponse], None]
    ) -> None:
        """Send a request. Returns early if the storefront answers before it has read the whole body.

        ``hint`` gets the interim (1xx) answers that arrive before the final one. ``body`` may
        raise; what it raises comes out as it is, for it isn't the storefront's failure.
        """
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self._head, self._sent, self._hint = None, False, hint
        self._push(self._http.send(request))
        for piece in body:
            self._push_unless_answered(self._http.send(h11.Data(piece)))
            if self._head is not None:
                return
        self._push_unless_answered(self._http.send(h11.EndOfMessage()))

    def head(self) -> h11.Response:
        """The head of the final answer, waited for."""
        with self._ours():
            while self._head is None:
                self._receive_head()
        return self._head

    def pieces(self) -> Iterator[bytes]:
        """The body of the answer, piece by piece as it arrives; a body that breaks off raises.

        The first piece is empty if the body isn't there yet: it makes a WSGI server send the head
        on, so that a slow body doesn't keep it back.
        """
        with self._ours():
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                yield b""
            while not isinstance(event, h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                else:
                    self._http.receive_data(self._receive())
                event = self._http.next_event()

    def close(self) -> None:
        """Disconnect, in whatever state."""
        self._socket.close()

    def _push(self, data: bytes | None) -> None:
        rest = memoryview(data or b"")
        with self._ours():
            while rest:
                rest = rest[self._socket.send(rest) :]
                self._sent = True

    def _push_unless_answered(self, data: bytes | None) -> None:
        """Send, with an ear for the answer: a storefront that has refused may never read the rest."""
        rest = memoryview(data or b"")
        with self._ours(), self._without_waiting():
            while rest and self._head is None:
                if self._spoken():
                    self._receive_head()
                    continue
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    self._await_a_move()

    def _receive_head(self) -> None:
        self._http.receive_data(self._receive())
        event = self._http.next_event()
        while isinstance(event, h11.InformationalResponse):
            with suppress(OSError):  # the client has left, which the final answer will find out
                self._hint(event)
            event = self._http.next_event()
        if isinstance(event, h11.Response):
            self._head = event

    def _receive(self) -> bytes:
        if self._due is not None:
            if self._due.passed():
                raise TimeoutError
            self._socket.settimeout(self._due.within(self._patience))
        return self._socket.recv(BLOCK)

    def _spoken(self) -> bool:
        """Whether there is something to read, the end included. Only ``_without_waiting``."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:  # a reset is something to read, too
            return True
        return True

    def _await_a_move(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        if not poll.poll(self._patience * 1000):
            raise TimeoutError

    @contextmanager
    def _without_waiting(self) -> Iterator[None]:
        # Not poll() with a timeout of 0: under gevent that may return before it has looked.
        self._socket.settimeout(0)
        try:
            yield
        finally:
            self._socket.settimeout(self._patience)

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except _FOREIGN as error:
            kind = OutcomeUnknown if self._sent else StoreDown
            what = f"no answer for {self._patience:g} s" if isinstance(error, TimeoutError) else f"broke off: {error}"
            raise kind("storefront", what) from error
