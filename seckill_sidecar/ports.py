"""What the gate and the workers ask of the stores. ``adapters/`` implements these; one contract suite holds them.

Every method may raise a ``StoreError``: ``StoreDown`` (surely not done), ``OutcomeUnknown`` (perhaps
done; every method is safe to call again with the same arguments), ``LedgerUntrusted``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from seckill_sidecar.clock import Deadline
from seckill_sidecar.model import (
    Decision,
    Event,
    Item,
    ItemView,
    Order,
    OutboxEntry,
    Purchase,
    Settled,
    State,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as the database keeps it, with all that a ledger needs to go on with it."""

    order: Order
    no: int
    """Its steps so far."""
    late: bool = False
    """Whether it was paid too late."""
    key: str = ""
    """The idempotency key of its purchase."""
    chain: int = 0
    """Of its accepted event: number, digest of the event before, total of the item."""
    prev: str = ""
    total: int = 0


@dataclass(frozen=True, slots=True)
class Ends:
    """Where an epoch's history ends: the number of its last event and that event's digest."""

    chain: int
    digest: str


class Ledger(Protocol):
    """What Redis keeps: items, holds, orders and the outbox, changed by Lua scripts only."""

    def reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """Decide one purchase and, if accepted, deduct, hold and record it, in one step."""

    def settle(self, order_id: str, state: State, reason: str, deadline: Deadline) -> Settled:
        """Move an order from ``held`` to ``state``; units of a cancelled or expired one go back on sale."""

    def seal(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order if it exists; else make sure that this id can never become one, and return None.

        The truthful end of an unknown outcome: a ``reserve`` that is still on its way finds the seal.
        """

    def order(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order as it stands, or None."""

    def handed_off(self, item: str, outbox_ids: Sequence[str], deadline: Deadline) -> None:
        """Remove these entries from the outbox: the broker has confirmed them (or the database has them)."""

    def outbox(self, item: str, min_age: float, limit: int, deadline: Deadline) -> list[OutboxEntry]:
        """The oldest entries that have lain for ``min_age`` seconds or more, at most ``limit``."""

    def outbox_depth(self, item: str, deadline: Deadline) -> tuple[int, int]:
        """How many entries wait, and since when the oldest does, in milliseconds since 1970 (0 if none waits)."""

    def due(self, item: str, limit: int, deadline: Deadline) -> list[str]:
        """Ids of holds whose time is over, at most ``limit``."""

    def load(
        self, item: Item, deadline: Deadline, replaces: int | None = None, epoch: int = 1, status: str = "open"
    ) -> ItemView:
        """Put an item into the ledger, under an epoch of at least ``epoch``, open or closed.

        With orders there already, only if ``replaces`` names their epoch; raises ``UsageError`` otherwise.
        """

    def add(self, sku: str, units: int, deadline: Deadline) -> ItemView:
        """Put more units on sale."""

    def switch(self, sku: str, status: str, deadline: Deadline) -> ItemView:
        """Open, close or pause an item by hand (``open``, ``closed``, ``paused``)."""

    def verify(self, sku: str, epoch: int, events: int, deadline: Deadline) -> bool:
        """Let an item sell on the server that it is found on, if it has at least these events of this epoch.

        What the database has seen is the measure; False means that the ledger is older.
        """

    def item(self, sku: str, deadline: Deadline) -> ItemView | None:
        """The item as it stands, or None."""

    def retire(self, sku: str, by: str, deadline: Deadline) -> ItemView | None:
        """Let an item sell and settle no more, until it is rebuilt; the item, None if there is none to be read.

        ``by`` tells this rebuild from every other one: who retires an item last may go on. Raises ``UsageError``
        if it is on sale: it has to be paused or closed, unless it is refused anyway.
        """

    def resume(self, sku: str, by: str, deadline: Deadline) -> None:
        """Take ``retire`` back, unless others retired it as well. The item sells again once it is verified."""

    def rebuild(self, item: Item, by: str, epoch: int, kept: Iterable[Kept], ends: Ends, status: str) -> ItemView:
        """Put a retired (or missing) item back, with these orders, under an epoch; at once or not at all.

        What was there is kept aside. Raises ``UsageError`` if the outbox is not empty, or another rebuild has begun.
        """

    def items(self, deadline: Deadline) -> list[str]:
        """SKUs of all loaded items, sorted."""

    def orders(self, sku: str) -> Iterator[Order]:
        """All orders of an item, in no order, streamed."""

    def orders_named(self, sku: str, order_ids: Sequence[str]) -> list[Order]:
        """Those of an item's orders that have these ids; a few hundred at most."""

    def outbox_from(self, item: str, after: str = "0") -> Iterator[OutboxEntry]:
        """All entries that came later than the one with the id ``after``, oldest first, streamed."""

    def check(self, deadline: Deadline) -> list[str]:
        """What makes this server unfit to hold stock (eviction, version); empty if it is fit."""

    def close(self) -> None:
        """Give the connections back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an item stands for whoever might want it."""

    sku: str
    gone: Verdict | None = None
    """Why nobody can buy it: ``sold_out``, ``closed`` or ``not_open``. None if somebody could, or if it isn't known."""
    opens_in: float = 0.0
    """Seconds, for ``not_open``."""


class Standings(Protocol):
    """Looks at many items of the ledger at once, changing nothing."""

    def items(self, deadline: Deadline) -> list[str]:
        """SKUs of all loaded items, sorted."""

    def of(self, skus: Sequence[str], deadline: Deadline) -> list[Standing]:
        """How these items stand, in their order."""

    def close(self) -> None:
        """Give the connection back."""


class Broker(Protocol):
    """Where accepted orders are handed off to."""

    def publish(self, message_id: str, body: bytes, deadline: Deadline, traceparent: str = "") -> None:
        """Return once the broker has confirmed the message as routed and stored."""

    def close(self) -> None:
        """Finish what is under way, within a bound, and disconnect."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message received from the orders queue and not yet acknowledged."""

    tag: int
    body: bytes
    message_id: str = ""
    redelivered: bool = False
    traceparent: str = ""


class Consumer(Protocol):
    """The receiving side of the broker; used by one thread."""

    def receive(self, most: int, linger: float) -> list[Delivery]:
        """Up to ``most`` deliveries: waits up to ``linger`` seconds for the first and as long for the rest.

        What was received and not answered to does not come again while the connection lasts, and tags are never reused.
        """

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """They are in the database (or parked there)."""

    def reject(self, delivery: Delivery, reason: str) -> None:
        """To the parked queue, by the dead-letter exchange."""

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Back to the queue, untouched."""

    def close(self) -> None:
        """Give unacknowledged deliveries back and disconnect."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of the broker's at one moment."""

    messages: int
    """Ready to be delivered. What consumers have in hand is not among them."""
    consumers: int


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

    def close(self) -> None:
        """Give the connections back."""


class Breaker(Protocol):
    """Guards calls to one store."""

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""

    def calling(self) -> AbstractContextManager[None]:
        """Run the body as one guarded call; raises ``BreakerOpen`` instead if the store is left alone."""
