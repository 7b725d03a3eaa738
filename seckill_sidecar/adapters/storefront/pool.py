"""A bounded pool of connections: so many at once, idle ones reused for a short while."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import TooBusy


class Pooled(Protocol):
    """What the pool asks of a connection."""

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended cleanly and the connection may carry another."""

    @property
    def stale(self) -> bool:
        """Whether the other side has closed (or said something unasked) since then."""

    def close(self) -> None:
        """Disconnect."""


C = TypeVar("C", bound=Pooled)


class Pool(Generic[C]):
    """At most ``size`` connections at once; the one used last is reused first.

    Requests beyond that wait up to ``patience`` seconds for their turn. A connection idle for ``idle``
    seconds or more is closed instead of reused, since the other side may be closing it at this moment.
    """

    def __init__(self, connect: Callable[[], C], size: int, idle: float, patience: float, clock: Clock) -> None:
        self._connect = connect
        self._size = size
        self._idle = idle
        self._patience = patience
        self._clock = clock
        self._turns = threading.BoundedSemaphore(size)
        self._rest: deque[tuple[float, C]] = deque()

    def take(self, patience: float | None = None, connect: Callable[[], C] | None = None) -> C:
        """A connection for one exchange; raises ``TooBusy``, or whatever ``connect`` raises.

        ``patience`` and ``connect`` take the place of the pool's own.
        """
        if not self._turns.acquire(timeout=self._patience if patience is None else patience):
            raise TooBusy("storefront", f"all {self._size} connections are in use (storefront.connections)")
        try:
            return self._rested() or (connect or self._connect)()
        except BaseException:
            self._turns.release()
            raise

    def give_back(self, connection: C) -> None:
        """End an exchange, whatever became of it; exactly once for each ``take``."""
        try:
            if connection.reusable:
                self._rest.append((self._clock.monotonic(), connection))
            else:
                connection.close()
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close the idle connections."""
        while self._rest:
            self._rest.pop()[1].close()

    def _rested(self) -> C | None:
        while self._rest:
            try:
                since, connection = self._rest.pop()
            except IndexError:  # another thread was faster
                return None
            if self._clock.monotonic() - since < self._idle and not connection.stale:
                return connection
            connection.close()
        return None
