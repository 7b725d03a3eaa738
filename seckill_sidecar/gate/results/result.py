"""What is known of an order at a moment: how it stands, and whether the database has it."""

from __future__ import annotations

from dataclasses import dataclass

from seckill_sidecar.model import Order, State


@dataclass(frozen=True, slots=True)
class Result:
    """One order, as far as it is known here. Knowledge only grows."""

    order: Order | None = None
    """None: nobody has seen it yet."""
    written: bool | None = False
    """Whether the database has it; None if that can't be told at this moment."""
    none: bool = False
    """There is no such order, and never will be."""

    @property
    def final(self) -> bool:
        """Whether who waits for it has heard all: it is in the database, or will never be.

        What comes after that (paid, cancelled, expired) is the buyer's own doing or the shop's to tell.
        """
        return self.written is True or self.none

    @property
    def state(self) -> str:
        """``held``, ``paid``, ``cancelled``, ``expired``; ``unknown`` until seen, ``none`` if it never will be."""
        if self.order is not None:
            return self.order.state.value
        return "none" if self.none else "unknown"

    def and_seen(self, order: Order, written: bool | None) -> Result:
        """With what another look has found. An order leaves ``held`` once only, whoever is the first to tell."""
        mine = self.order
        newer = order if mine is None or mine.state is State.HELD else mine
        known = (self.written, written)
        return Result(newer, True if True in known else None if None in known else False)

    def tells_more_than(self, other: Result) -> bool:
        """Whether a buyer who knows the other one learns something by this one."""
        return (self.state, self.final) != (other.state, other.final)


NOTHING = Result()
