"""Where a buyer asks for an order: what is known now, from ledger, database, or the buyer's own receipt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.results.result import NOTHING, Result
from seckill_sidecar.model import Order, State


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for which order."""

    order_id: str
    buyer: str
    bearer: bool
    """By the order's own token, not only by being this buyer."""
    receipt: Order | None = None
    """The order as it was accepted, if the token proves that it was."""

    @property
    def may_seal(self) -> bool:
        """Whether a no has to be true for ever. What was accepted is never sealed: it may be on its way."""
        return self.bearer and self.receipt is None


Find = Callable[[str, float, bool], Order | None]
"""``LookUp.find``."""
Written = Callable[[str], Order | None]
"""The order as the database has it; raises ``StoreError``."""


class Desk:
    """Answers one question at a time."""

    def __init__(self, find: Find, written: Written, clock: Clock, seconds: float) -> None:
        """``seconds`` bounds one look."""
        self._find = find
        self._written = written
        self._clock = clock
        self._seconds = seconds

    def now(self, asker: Asker, final: bool) -> Result:
        """What is known at this moment. ``final``: if that is nothing, it is so for ever (for who may seal).

        ``Result.none`` also for another one's order, and for one that nobody has if the asker is only who they are.
        Raises ``StoreError`` if nothing can be told.
        """
        seal = final and asker.may_seal
        try:
            order = self._find(asker.order_id, self._seconds, seal)
        except StoreError:
            if asker.receipt is None:
                raise
            return self._by_receipt(asker.receipt)
        if order is not None:
            return self._found(asker, order)
        if asker.receipt is not None:
            return self._by_receipt(asker.receipt)
        return Result(none=True) if seal or not asker.bearer else NOTHING

    def of(self, asker: Asker, told: Result) -> Result:
        """What the hub has told, as far as it is this asker's: ids tell nobody anything."""
        if told.order is not None and told.order.buyer != asker.buyer:
            return Result(none=True)
        return told

    def _found(self, asker: Asker, order: Order) -> Result:
        if order.buyer != asker.buyer:
            return Result(none=True)
        try:
            row = self._written(order.id)
        except StoreError:
            return Result(order, None)
        return Result(order, False) if row is None else Result(order).and_seen(row, True)

    def _by_receipt(self, accepted: Order) -> Result:
        """It was accepted, and nobody here knows more: it is held for as long as its hold may live."""
        if self._clock.wall() * 1000 < accepted.due_at_ms and accepted.state is State.HELD:
            return Result(accepted)
        return NOTHING
