"""An item's units: the ledger's item against the sum of its orders, and the same in the database. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import ItemView
from seckill_sidecar.ports import EpochUnits


@dataclass(frozen=True, slots=True)
class LedgerBook:
    """The ledger's item before and after its orders were read, and the units of those that were there before."""

    before: ItemView
    after: ItemView
    held: int
    paid: int


@dataclass(frozen=True, slots=True)
class Books:
    """Both accounts of one item's units."""

    ledger: LedgerBook | None = None
    """None if the ledger has no such item."""
    database: Sequence[EpochUnits] = ()
    """By epoch, the latest last."""

    @property
    def faults(self) -> list[str]:
        """What does not add up, a sentence each. Units that moved while they were read are no fault."""
        found = list(_faults_of_ledger(self.ledger)) if self.ledger else []
        for units in self.database:
            found += _faults_of_epoch(units)
        return found + list(self._faults_between())

    @property
    def oversold(self) -> int:
        """Units held or paid beyond the total, in the store where there are more of them."""
        return max(_oversold_in_ledger(self.ledger), sum(map(_oversold_in_epoch, self.database)))

    @property
    def present(self) -> EpochUnits | None:
        """What the database has of the epoch that is on sale."""
        epoch = self.ledger.after.epoch if self.ledger else None
        same = [units for units in self.database if epoch in (None, units.epoch)]
        return same[-1] if same else None

    def _faults_between(self) -> Iterator[str]:
        if self.ledger and self.present and self.present.total > self.ledger.after.total:
            yield f"the database knows a total of {self.present.total}, the ledger {self.ledger.after.total}"


def _faults_of_ledger(book: LedgerBook) -> Iterator[str]:
    before, after = book.before, book.after
    if after.epoch != before.epoch:
        yield f"epoch {after.epoch} replaced epoch {before.epoch} during the audit; run it again"
        return
    if not after.balanced:
        yield f"the ledger's total of {after.total} is not {after.free} free + {after.held} held + {after.paid} paid"
    if not _orders_fit(book):
        yield (
            f"the ledger's item says {_span(before.held, after.held)} held and {_span(before.paid, after.paid)} paid, "
            f"its orders {book.held} and {book.paid}"
        )


def _orders_fit(book: LedgerBook) -> bool:
    """Whether the orders' sums can be those of the item.

    Each order was read at its own moment between ``before`` and ``after``. Without motion both are equal, and the sums
    have to be too. With motion, units may only have gone from held to paid, or have been given back; and no more of
    them than the difference of the two views allows, of which new orders may hide as much as one buyer may have.
    """
    before, after = book.before, book.after
    taken_before, taken_after = before.held + before.paid, after.held + after.paid
    given_back = taken_before - (book.held + book.paid)
    most = taken_before - taken_after + (after.seq - before.seq) * after.per_buyer
    return before.paid <= book.paid <= after.paid and 0 <= given_back <= most


def _span(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} and then {after}"


def _faults_of_epoch(units: EpochUnits) -> Iterator[str]:
    if (units.held, units.paid) != (units.held_by_orders, units.paid_by_orders):
        yield (
            f"the database's item of epoch {units.epoch} says {units.held} held and {units.paid} paid, "
            f"its orders {units.held_by_orders} and {units.paid_by_orders}"
        )


def _oversold_in_ledger(book: LedgerBook | None) -> int:
    if book is None:
        return 0
    return max(0, book.after.held + book.after.paid - book.after.total, book.held + book.paid - book.after.total)


def _oversold_in_epoch(units: EpochUnits) -> int:
    taken = max(units.held + units.paid, units.held_by_orders + units.paid_by_orders)
    return max(0, taken - units.total)
