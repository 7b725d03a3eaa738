"""What this process knows, and so can refuse by itself: Redis never sees it.

Only what was true a second ago at most is remembered of an item, and only for purchases that carry no idempotency key:
a buyer who holds an order and asks again has to be told so. Others may know more (``known.py``, ``invited.py``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seckill_sidecar.clock import Clock
from seckill_sidecar.model import Decision, Purchase, Verdict

_MOST_ITEMS = 10_000
_REMEMBERED = (Verdict.SOLD_OUT, Verdict.CLOSED, Verdict.NOT_OPEN)

Recall = Callable[[Purchase], Decision | None]
"""What decides a purchase without the ledger, if it does."""


@dataclass(frozen=True, slots=True)
class _Memory:
    until: float
    decision: Decision


class Local:
    """The short memory of items that can't be bought, and whoever else can decide here."""

    def __init__(self, remember: float, clock: Clock, others: Sequence[Recall] = ()) -> None:
        """``remember`` in seconds, 1 at most. ``others`` are asked in turn about what isn't remembered."""
        self._remember = remember
        self._clock = clock
        self._others = tuple(others)
        self._lock = threading.Lock()
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def recall(self, purchase: Purchase) -> Decision | None:
        """What is remembered of the item, if that decides this purchase."""
        if purchase.key is not None:
            return None
        memory = self._memories.get(purchase.item)
        if memory is None or self._clock.monotonic() >= memory.until:
            return None
        return memory.decision

    def ask_others(self, purchase: Purchase) -> Decision | None:
        """What somebody else knows of it, which may take a reading: to be asked by who has a place only."""
        for other in self._others:
            decision = other(purchase)
            if decision is not None:
                return decision
        return None

    def remember(self, item: str, decision: Decision) -> None:
        """Keep a refusal that holds for every buyer; anything else that was kept is forgotten."""
        if decision.verdict not in _REMEMBERED or decision.available > 0:
            self._memories.pop(item, None)
            return
        seconds = self._remember
        if decision.verdict is Verdict.NOT_OPEN:
            seconds = min(seconds, decision.retry_after)
        with self._lock:
            self._memories[item] = _Memory(self._clock.monotonic() + seconds, decision)
            while len(self._memories) > _MOST_ITEMS:
                self._memories.popitem(last=False)
