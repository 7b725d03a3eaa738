"""What is asked of the orders database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from seckill_sidecar.model import Event, Order, State
from seckill_sidecar.ports.ledger import Ends, Kept
from seckill_sidecar.ports.vitals import DatabaseVitals


@dataclass(frozen=True, slots=True)
class Written:
    """What one ``write`` did."""

    changed: int
    """Events that changed a row."""
    repeated: int
    """Events that were known already."""


class ParkedState(StrEnum):
    """Where a parked message stands. The first two wait for an operator."""

    PARKED = "parked"
    LATE_PAYMENT = "late_payment"
    """Paid after its order had expired or was cancelled; the order itself stays as it is."""
    RETRIED = "retried"
    REFUNDED = "refunded"

    @property
    def waits(self) -> bool:
        return self in (ParkedState.PARKED, ParkedState.LATE_PAYMENT)


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that the writer could not write, with its reason."""

    message_id: str
    reason: str
    body: bytes
    at_ms: int
    order_id: str | None = None
    """The order that it is about; None if it can't be read. The database finds it in the body."""
    state: ParkedState = ParkedState.PARKED
    resolved_at_ms: int | None = None
    id: int = field(default=0, compare=False)
    """Its number in the database, which gives it."""


@dataclass(frozen=True, slots=True)
class EpochUnits:
    """What the database has of one item and epoch, at one moment: its row, and the sums over its orders."""

    epoch: int
    total: int
    held: int
    paid: int
    orders: int
    held_by_orders: int
    paid_by_orders: int


class OrdersDb(Protocol):
    """The orders database. One ``write`` is one transaction."""

    def migrate(self) -> list[str]:
        """Apply what is missing of the numbered schema files, under a lock; return their names."""

    def write(self, events: Sequence[Event]) -> Written:
        """Write a batch in one transaction; raises ``Unwritable`` if a row is at fault, and then changes nothing."""

    def park(self, parked: Parked) -> None:
        """Keep a message that can't be written, with its reason; as ``refunded`` if its order was refunded already."""

    def order(self, order_id: str) -> Order | None:
        """The order as the database has it, or None."""

    def orders(self, item: str, epoch: int = 0) -> Iterator[Order]:
        """All orders of an item from this epoch on, streamed."""

    def orders_named(self, order_ids: Sequence[str]) -> list[Order]:
        """Those orders that have these ids; a few hundred at most."""

    def items(self) -> list[str]:
        """SKUs of all items of which there is anything, sorted."""

    def units(self, item: str) -> list[EpochUnits]:
        """The item's rows beside the sums over its orders, an epoch each, the latest last; all of one moment."""

    def begin_epoch(self, item: str, epoch: int, total: int) -> None:
        """Know of a sale before its first order: an emptied ledger must not be filled again as if there were none."""

    def last_epoch(self, item: str) -> int:
        """The highest epoch that the database knows of, 0 if it has never heard of this item."""

    def high_water(self, item: str) -> tuple[int, int]:
        """The last epoch of which the database has orders and its highest event number; zeros if it has none."""

    def kept(self, item: str, epoch: int) -> Iterator[Kept]:
        """The orders of an epoch by their numbers, streamed."""

    def ends(self, item: str, epoch: int) -> Ends:
        """Where the history of an epoch ends, as far as it is here."""

    def waiting(self, item: str, epoch: int) -> list[str]:
        """Ids of the orders of an epoch of which a parked message waits that would change a row."""

    def carried(self, item: str, epoch: int) -> int:
        """The highest number of the orders that an epoch took over from another one, 0 if it began anew."""

    def succeed(self, item: str, epoch: int, successor: int, total: int) -> None:
        """Let another epoch take over all orders of this one, in one transaction; its total will be ``total``.

        From then on no order of the old epoch can be written. Raises ``UsageError`` if more units are held or paid.
        """

    def parked(self) -> Iterator[Parked]:
        """All parked messages in any state, oldest first."""

    def parked_counts(self) -> dict[ParkedState, int]:
        """How many parked messages are in each state."""

    def parked_message(self, number: int) -> Parked | None:
        """The parked message of this ``id``, or None."""

    def resolve_parked(self, number: int, at_ms: int) -> None:
        """Mark a message that waits as ``retried``: it was written, or dealt with by hand."""

    def explain_parked(self, number: int, reason: str) -> None:
        """Keep why a parked message could not be written the last time."""

    def refund(self, parked: Parked, state: State, at_ms: int) -> bool:
        """Undo a parked message's order; False if that was done before, and then nothing is changed.

        In one transaction: the integrator's ``on_cancelled``, once an order; all of the order's messages that wait
        become ``refunded``; a row that is still held enters ``state``, where the ledger has the order. From then on
        events of this order change nothing; those that come are kept as ``refunded``. But if only late payments waited,
        the order is left as it is.
        """

    def events(self, item: str, epoch: int) -> Iterator[Event]:
        """All events of an epoch that are here, written or parked, in the order of their chain, streamed."""

    def last_event(self, item: str, epoch: int) -> int:
        """The highest number in an epoch's chain that any event here has, 0 if there is none."""

    def examine(self, writing: bool = True) -> DatabaseVitals:
        """How fit the database is for a sale, or only to be read (a replica); changes nothing."""

    def close(self) -> None:
        """Give the connections back."""
