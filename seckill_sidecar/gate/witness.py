"""How far an item had come, as the database witnesses it: the fence's measure for a Redis that may be an older one.

The database only knows what the writers have written. Whatever still lies in RabbitMQ, or is in a writer's hands, it
will hear of later; an older Redis compared with it too early would pass, and sell the same units again. So the queue
has to be empty, and a moment later still.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreDown

_REUSED_FOR = 2.0
_FORGOTTEN_AFTER = 60.0


class Witness:
    """Tells the last epoch of an item and the number of its last event. Safe to share among threads and greenlets."""

    def __init__(
        self, high_water: Callable[[str], tuple[int, int]], depth: Callable[[], int] | None, clock: Clock, moment: float
    ) -> None:
        """``depth`` counts the messages in RabbitMQ (None without one); within ``moment`` seconds writers write what
        they have in hand."""
        self._high_water = high_water
        self._depth = depth
        self._clock = clock
        self._moment = moment
        self._lock = threading.Lock()
        self._empty_since: float | None = None
        self._looked_at = float("-inf")
        self._passed_at = float("-inf")

    def __call__(self, sku: str) -> tuple[int, int]:
        """(epoch, events), zeros if the database has never heard of it.

        Raises ``StoreError`` if that can't be told, or not yet; nobody is kept waiting for the moment to pass.
        """
        if self._depth is not None:
            with self._lock:
                self._refuse_until_written(self._depth)
        return self._high_water(sku)

    def _refuse_until_written(self, depth: Callable[[], int]) -> None:
        now = self._clock.monotonic()
        if now - self._passed_at < _REUSED_FOR:
            return  # for another item, just now
        if now - self._looked_at > _FORGOTTEN_AFTER:
            self._empty_since = None
        self._looked_at = now
        if waiting := depth():
            self._empty_since = None
            raise StoreDown("broker", f"{waiting} messages wait to be written; the database has not seen all yet")
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since < self._moment:
            raise StoreDown("broker", "the writers may have some messages in hand; ask again in a moment")
        self._empty_since, self._passed_at = None, now
