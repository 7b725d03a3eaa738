"""Ask the ledger for one purchase, until it is known what became of it or the time is over."""

from __future__ import annotations

from collections.abc import Iterable

from seckill_sidecar import faults
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BreakerOpen, OutcomeUnknown, StoreDown, StoreError
from seckill_sidecar.model import Decision, Purchase, Verdict
from seckill_sidecar.ports import Breaker, Reserving

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25
_MOST_KNOWN = 100_000


class Reserver:
    """The reserve stage: one deduction at most, however often it has to ask."""

    def __init__(self, ledger: Reserving, breaker: Breaker, clock: Clock, known_items: Iterable[str] = ()) -> None:
        """``known_items`` are on sale for certain: a ledger that has never heard of one has lost it."""
        self._ledger = ledger
        self._breaker = breaker
        self._clock = clock
        self._known = set(known_items)

    def decide(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """What the ledger decided.

        Raises ``OutcomeUnknown`` if a deduction may have been made, any other ``StoreError`` if surely not.
        """
        decision = self._ask(purchase, deadline)
        if decision.verdict is not Verdict.UNKNOWN_ITEM:
            if len(self._known) < _MOST_KNOWN and decision.verdict is not Verdict.UNAVAILABLE:
                self._known.add(purchase.item)
        elif purchase.item in self._known:
            return Decision(Verdict.UNAVAILABLE, reason="the ledger does not know this item: not loaded yet, or lost")
        return decision

    def _ask(self, purchase: Purchase, deadline: Deadline) -> Decision:
        unknown: OutcomeUnknown | None = None
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._breaker.calling():
                    faults.hit("before_reserve")
                    decision = self._ledger.reserve(purchase, deadline)
                    faults.hit("after_reserve")
                    return decision if unknown is None else self._final(decision, purchase, deadline)
            except OutcomeUnknown as error:
                unknown = error
            except StoreError:
                # Once a reply was lost, "can't connect" no longer means "not done".
                if unknown is None:
                    raise
            if deadline.passed():
                raise unknown
            # The same order id asks again: reserve.lua answers the same for it, deducting once.
            self._clock.sleep(deadline.within(pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _final(self, decision: Decision, purchase: Purchase, deadline: Deadline) -> Decision:
        """A refusal while an earlier call with this id may still be on its way is made true for ever, or is none."""
        if decision.order is not None:
            return decision
        order = self._ledger.seal(purchase.order_id, deadline)
        return decision if order is None else Decision(Verdict.ACCEPTED, order=order)


def is_down(error: StoreError) -> bool:
    """Whether the ledger is surely out of reach, and surely has done nothing: another way may be taken.

    A process that is too busy to ask in time says nothing of the ledger, which may be selling all the while.
    """
    return isinstance(error, StoreDown | BreakerOpen)
