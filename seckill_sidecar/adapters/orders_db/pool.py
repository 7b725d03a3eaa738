"""A bounded pool of sessions: the last one given back is taken first, one that failed or lay too long is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from seckill_sidecar.adapters.orders_db.session import Session
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import TooBusy

IDLE = 60.0
"""Seconds after which an idle session is not used again: proxies and firewalls drop such connections in silence."""


class Pool:
    """At most ``size`` sessions at once, opened when first needed."""

    def __init__(self, connect: Callable[[], Session], size: int, patience: float, clock: Clock) -> None:
        self._connect = connect
        self._patience = patience
        self._clock = clock
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Session] = []

    def take(self) -> Session:
        """A session for the caller alone, to give back or discard. Raises ``TooBusy``, or what connecting does."""
        if not self._free.acquire(timeout=self._patience):
            raise TooBusy("database", f"all connections of this process were in use for {self._patience:g} s")
        try:
            return self._fresh_idle() or self._connect()
        except BaseException:
            self._free.release()
            raise

    def give(self, session: Session) -> None:
        """Back into the pool, with no transaction open."""
        session.reused = True
        session.idle_since = self._clock.monotonic()
        with self._lock:
            self._idle.append(session)
        self._free.release()

    def discard(self, session: Session, close: Callable[[Session], None]) -> None:
        """Close a session that the caller took."""
        try:
            close(session)
        finally:
            self._free.release()

    def clear(self) -> None:
        """Close all idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def _fresh_idle(self) -> Session | None:
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is not None and self._clock.monotonic() - session.idle_since > IDLE:
            self._idle_too_long(session)
            return None
        return session

    def _idle_too_long(self, session: Session) -> None:
        """What lies below it in the pool has lain for longer still."""
        session.close()
        self.clear()
