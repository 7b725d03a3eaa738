"""Keys that are looked up now and then, and at once when a token names one that is not known.

    token's kid ─► known? ─► use it; if all are old, look them up meanwhile
                └► not ────► look up, unless that was done a moment ago ─► known? ─► use it, or it is unknown

A look is made by a thread of its own, one at a time: who waits for it waits no longer than for the deadline.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from seckill_sidecar.adapters.jwt.key_set import NamedKey
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import DeadlinePassed, StoreDown, StoreError

_log = logging.getLogger("seckill_sidecar.identity")


class FreshKeys:
    """The keys at one place."""

    def __init__(
        self, place: str, look: Callable[[], Sequence[NamedKey]], refresh: float, retry: float, clock: Clock
    ) -> None:
        """``look`` gets them, or raises ``StoreError``. After ``refresh`` seconds they are old; ``retry`` is the least
        time between two looks."""
        self._place = place
        self._look = look
        self._refresh = refresh
        self._retry = retry
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Sequence[NamedKey] = ()
        self._looked = float("-inf")
        """When the last look began."""
        self._fault: StoreError | None = None
        """Why the last look failed, if it did."""
        self._running: threading.Event | None = None

    def for_kid(self, kid: str, deadline: Deadline) -> Sequence[NamedKey]:
        """The keys that may have signed a token with this ``kid`` ("" for none); none if it is surely not known.

        Raises ``StoreError`` if nobody can tell at this moment.
        """
        found = _called(self._keys, kid)
        if found:
            patience = self._refresh if self._fault is None else self._retry
            if self._clock.monotonic() - self._looked >= patience:
                self._begin()
            return found
        look = self._begin()
        if look is not None and not look.wait(deadline.remaining()):
            raise DeadlinePassed("keys", f"no time was left to wait for {self._place}")
        found = _called(self._keys, kid)
        if not found and self._fault is not None:
            raise StoreDown("keys", f"nobody knows whether it is a new one: {self._fault.what}") from self._fault
        return found

    def _begin(self) -> threading.Event | None:
        """A look that is under way, the new one perhaps; None if the last one was made a moment ago."""
        with self._lock:
            if self._running is not None:
                return self._running
            if self._clock.monotonic() - self._looked < self._retry:
                return None
            self._looked = self._clock.monotonic()
            self._running = ended = threading.Event()
        threading.Thread(target=self._run, args=(ended,), name="keys", daemon=True).start()
        return ended

    def _run(self, ended: threading.Event) -> None:
        fault: StoreError | None = StoreDown("keys", f"{self._place} could not be looked at")
        try:
            self._keys, fault = self._look(), None
        except StoreError as error:
            fault = error
        finally:
            if fault is not None:
                _log.warning("keys of buyers' tokens can't be looked up, those from before stay: %s", fault)
            with self._lock:
                self._fault, self._running = fault, None
            ended.set()


def _called(keys: Sequence[NamedKey], kid: str) -> Sequence[NamedKey]:
    """Keys of this name, and those that have none; all for a token that names none."""
    return [key for key in keys if not kid or key.kid in ("", kid)]
