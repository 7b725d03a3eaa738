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
        self._empty_at = float("-inf")

    def __call__(self, sku: str) -> tuple[int, int]:
        """(epoch, events), zeros if the database has never heard of it. Raises ``StoreError``."""
        if self._depth is not None:
            with self._lock:
                self._wait_until_written(self._depth)
        return self._high_water(sku)

    def _wait_until_written(self, depth: Callable[[], int]) -> None:
        if self._clock.monotonic() - self._empty_at < _REUSED_FOR:
            return  # for another item, just now
        _refuse_backlog(depth())
        self._clock.sleep(self._moment)
        _refuse_backlog(depth())
        self._empty_at = self._clock.monotonic()


def _refuse_backlog(waiting: int) -> None:
    if waiting:
        raise StoreDown("broker", f"{waiting} messages wait to be written; the database has not seen all yet")
