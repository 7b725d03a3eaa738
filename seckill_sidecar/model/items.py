"""What is on sale."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One SKU as it is put on sale."""

    sku: str
    total: int
    opens_at_ms: int = 0
    """From when it sells; 0 is "already"."""
    closes_at_ms: int = 0
    """From when it no longer sells; 0 is "never"."""
    per_buyer: int = 1
    """Units that one buyer may hold or have paid."""
    hold_ms: int = 900_000
    """How long an unpaid hold lives."""


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item as the ledger holds it at one moment. total = free + held + paid."""

    sku: str
    total: int
    free: int
    held: int
    paid: int
    opens_at_ms: int
    closes_at_ms: int
    per_buyer: int
    hold_ms: int
    epoch: int
    seq: int
    status: str
    """``open`` (its window decides), ``closed`` by command, or ``paused`` by an alarm."""
    chain: int = 0
    """Events of the epoch so far."""
    digest: str = ""
    """Of the last of them."""

    @property
    def balanced(self) -> bool:
        return self.total == self.free + self.held + self.paid and self.free >= 0


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: ``burst`` at once, refilled at ``count`` every ``per`` seconds."""

    count: int
    per: float
    burst: int
