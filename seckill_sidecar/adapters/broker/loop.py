"""pika's event loop, made safe for a process that forks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pika.adapters.select_connection import IOLoop


class Abandoned(Exception):
    """This loop belongs to the parent process; raised out of ``start`` in a forked child."""


class Loop(IOLoop):  # type: ignore[misc]
    """Runs one connection. Once abandoned, it touches nothing more.

    A fork copies no threads but, under gevent, every greenlet: the child then holds a running copy of this loop on the
    parent's own socket, and would steal its bytes or end its connection. So the child sets ``abandoned`` as the first
    thing it does, and the copy leaves, silently, at whatever wakes it.
    """

    def __init__(self) -> None:
        self.abandoned = False
        super().__init__()

    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None:
        super().add_handler(fd, partial(self._dispatch, handler), events)

    def process_timeouts(self) -> None:
        self._leave_if_abandoned()
        super().process_timeouts()

    def _dispatch(self, handler: Callable[[int, int], None], fd: int, events: int) -> None:
        self._leave_if_abandoned()
        handler(fd, events)

    def _leave_if_abandoned(self) -> None:
        if self.abandoned:
            raise Abandoned
