"""The thread that owns the connection, and keeps it."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from seckill_sidecar.adapters.broker.faults import Failure
from seckill_sidecar.adapters.broker.loop import Abandoned, Loop
from seckill_sidecar.adapters.broker.session import Session

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Backoff:
    """Pauses between attempts: double each time up to a bound, and are scattered, so that processes spread out."""

    def __init__(self, first: float = _FIRST_PAUSE, longest: float = _LONGEST_PAUSE) -> None:
        self._first = first
        self._longest = longest
        self._pause = first
        self._random = random.Random()  # noqa: S311 - no secret

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._pause = self._first

    def next(self) -> float:
        """Seconds until the next attempt: between half of the pause and all of it."""
        pause = self._pause
        self._pause = min(2 * pause, self._longest)
        return pause * self._random.uniform(0.5, 1.0)


class Keeper:
    """Runs one session after another in a daemon thread of its own, from ``start`` to ``close``.

    Each session has a loop of its own, closed with it: nothing is left behind by any number of reconnects.
    """

    def __init__(self, make_session: Callable[[Loop], Session], name: str) -> None:
        self._make_session = make_session
        self._backoff = Backoff()
        self._closing = threading.Event()
        self._session: Session | None = None
        self._told: str | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, within: float) -> None:
        """Leave the session politely and end the thread; give up waiting for it after ``within`` seconds."""
        self._closing.set()
        # Read after the flag is set: a session that comes later sees the flag before it opens.
        if (session := self._session) is not None:
            session.loop.add_callback_threadsafe(session.leave)
        self._thread.join(within)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's connection without a byte."""
        self._closing.set()
        if self._session is not None:
            self._session.loop.abandoned = True

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._keep_one()
        except Abandoned:
            return

    def _keep_one(self) -> None:
        """Run one session to its end, and pause."""
        loop = Loop()
        self._session = session = self._make_session(loop)
        try:
            if not self._closing.is_set():
                session.open()
                loop.start()
        except Abandoned:
            raise
        except Exception as error:  # noqa: BLE001 - pika asserts; its thread must outlive that, and nobody may wait on
            session.end(error)
        finally:
            self._session = None
            loop.close()
        self._pause_after(session)

    def _pause_after(self, session: Session) -> None:
        if session.was_ready:
            self._backoff.reset()
        pause = self._backoff.next()
        if session.failure is not None and not self._closing.is_set():
            self._tell(session.failure, session.was_ready, pause)
        self._closing.wait(pause)

    def _tell(self, failure: Failure, was_ready: bool, pause: float) -> None:
        """Log a reason when it is news, not at every attempt."""
        news = was_ready or failure.what != self._told
        self._told = failure.what
        log.log(logging.WARNING if news else logging.DEBUG, "%s; next attempt in %.1f s", failure.what, pause)
