"""Which items there are at all, so that made-up ones cost the stores next to nothing.

    known ───► it goes on; that was one look into a set
    unknown ─► all names are read anew ─► still unknown: refused, which was true after it had asked
               └ in a flood of them not for each: the reading that is under way, or what was read half a second ago at
                 most, decides

Names are added and never taken away, as in the stores. A new item is announced for as long as a process may go by what
it has read, and put on sale then (``item load``), so nobody is told that there is no such item once there is one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Decision, Purchase, Verdict

TRUE_FOR = 0.5
"""Seconds for which what was read may decide without being read again."""
_AT_ONCE = 10
_EVERY = 1.0
"""So many unknown names in a row have all read anew, and one more after each so many seconds. Names that are found
don't count: who loads many items is no flood."""
_MOST = 100_000
"""Of more items than this, reading all names costs more than it spares: then every name is asked of the store."""
_UNKNOWN = Decision(Verdict.UNKNOWN_ITEM)


class KnownItems:
    """The items that one store knows, as one process knows them. Safe to share among threads and greenlets."""

    def __init__(
        self,
        read: Callable[[Deadline], Collection[str]],
        clock: Clock,
        patience: float,
        names: Iterable[str] = (),
    ) -> None:
        """``read`` tells all names, within ``patience`` seconds; ``names`` are known for certain."""
        self._read = read
        self._clock = clock
        self._patience = patience
        self._names = set(names)
        self._lock = threading.Lock()
        self._too_many = False
        self._tried_at = self._read_at = float("-inf")
        """When the last reading began, and the last that succeeded."""
        self._full_at = float("-inf")
        """When all of ``_AT_ONCE`` are there again."""

    def recall(self, purchase: Purchase) -> Decision | None:
        """The refusal of a purchase of an item that surely isn't there; with a key, too: nobody has an order of it."""
        return _UNKNOWN if self.is_unknown(purchase.item) else None

    def is_unknown(self, sku: str) -> bool:
        """Whether the store surely does not know this item, now or half a second ago; False also if it can't tell."""
        if sku in self._names or self._too_many:
            return False
        asked = self._clock.monotonic()
        taken = self._take(asked)
        if not taken:
            self._await_reading()
            if sku in self._names:
                return False
            if asked - self._read_at < TRUE_FOR:
                return True
        if not self._has_read_since(asked):
            return False
        if sku not in self._names:
            return True
        if taken:
            self._full_at -= _EVERY
        return False

    def _take(self, now: float) -> bool:
        full_at = max(self._full_at, now)
        if full_at - now > (_AT_ONCE - 1) * _EVERY:
            return False
        self._full_at = full_at + _EVERY
        return True

    def _await_reading(self) -> None:
        """Wait for a reading that is under way, if one is: many who come for a new item at once cost one."""
        if self._lock.locked() and self._lock.acquire(timeout=self._patience):
            self._lock.release()

    def _has_read_since(self, asked: float) -> bool:
        """Read all names, or find that somebody has begun to since; whether that could be done."""
        if not self._lock.acquire(timeout=self._patience):
            return False
        try:
            # Who waited for the lock finds the answer that was given meanwhile, or that there was none.
            if self._tried_at <= asked:
                self._try_reading()
        finally:
            self._lock.release()
        return self._read_at >= asked

    def _try_reading(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            names = self._read(Deadline.after(self._patience, self._clock))
        except StoreError:
            return  # whoever asks the store next will say so
        self._too_many = len(names) > _MOST
        if not self._too_many:
            self._names.update(names)
            self._read_at = self._tried_at
