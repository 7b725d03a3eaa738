"""The four accounts of one sale that must agree: what buyers were told, the ledger, the database, the shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo.play import Told


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One order as one account has it."""

    order: str
    item: str
    buyer: str
    quantity: int


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """The ledger's account of the item."""

    rows: Sequence[Row]
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Books:
    """All accounts, each read from its own source after the sale."""

    told: Sequence[Told]
    ledger: LedgerPage
    database: Sequence[Row]
    """All rows of the orders table, repeated ones repeated, also those of other items."""
    parked: frozenset[str]
    """Ids of orders that the writer set aside with a reason."""
    shop: Sequence[Row]
