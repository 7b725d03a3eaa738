"""What is asked of the list of an item's invited buyers: a filter in a file, and in Redis what settles its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from seckill_sidecar.clock import Deadline


@dataclass(frozen=True, slots=True)
class Generation:
    """One making of an item's list. The next one has another name, and hashes buyers differently."""

    sku: str
    name: str
    buckets: int
    """In how many parts the ledger keeps it."""
    count: int
    """Buyers that were read for it."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one buyer stands in one generation, if invited: a bucket, and a 64-bit number in it. Both are hashes."""

    generation: str
    bucket: int
    member: int


class InvitedList(Protocol):
    """The filter of one generation: it may take a stranger for somebody invited, and never the other way round."""

    @property
    def generation(self) -> Generation: ...

    def seat(self, buyer: str) -> Seat | None:
        """Where the ledger has this buyer, if anywhere; None if the buyer is surely not invited."""


class NewList(Protocol):
    """A list that is being made."""

    @property
    def generation(self) -> Generation: ...

    def add(self, buyer: str) -> Seat:
        """Invite a buyer; what the ledger has to keep for it."""

    def write(self, path: str) -> int:
        """Put it into a file, at once or not at all; its size in bytes. Raises ``UnusableList``."""


class Invitations(Protocol):
    """The same lists in the ledger, where nobody is taken for another."""

    def holds(self, sku: str, seat: Seat, deadline: Deadline) -> bool | None:
        """Whether this seat is taken; None if the ledger does not have its generation, or not all of it."""

    def begin(self, generation: Generation, at_ms: int, deadline: Deadline) -> None:
        """Announce a generation that is not complete yet."""

    def add(self, generation: Generation, seats: Sequence[Seat], deadline: Deadline) -> int:
        """Take these seats; how many were free until now."""

    def finish(self, generation: Generation, at_ms: int, deadline: Deadline) -> None:
        """Let it be asked from now on."""

    def drop_old(self, sku: str, now_ms: int, deadline: Deadline) -> None:
        """Drop all but the last two generations: some host may still have the file of the one before."""

    def is_whole(self, generation: Generation, deadline: Deadline) -> bool:
        """Whether the ledger has all of it."""

    def close(self) -> None:
        """Give the connection back."""
