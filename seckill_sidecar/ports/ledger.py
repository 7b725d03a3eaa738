"""What is asked of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import (
    Admittance,
    Decision,
    Item,
    ItemView,
    Order,
    OutboxEntry,
    Override,
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


class Reserving(Protocol):
    """What decides purchases: the ledger, or its shadow."""

    def reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """Decide one purchase and, if accepted, deduct, hold and record it, in one step."""

    def seal(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order if it exists; else make sure that this id can never become one, and return None.

        The truthful end of an unknown outcome: a ``reserve`` that is still on its way finds the seal.
        """


class Admits(Protocol):
    """What decides who is admitted to an item's sale."""

    def admit(self, sku: str, buyer: str, address: str, deadline: Deadline) -> Admittance:
        """Whether this buyer is admitted, and until when. Nothing of the item changes."""


class Shadow(Reserving, Protocol):
    """What lies beside the ledger for routes in shadow: it decides as the ledger would, and nothing comes of it."""

    def item(self, sku: str, deadline: Deadline) -> ItemView | None:
        """An item's shadow as it stands, or None if there is none."""

    def forget(self, sku: str, deadline: Deadline) -> None:
        """Let the next purchase of an item start its shadow anew."""


class Ledger(Reserving, Admits, Protocol):
    """What Redis keeps: items, holds, orders and the outbox, changed by Lua scripts only."""

    def settle(self, order_id: str, state: State, reason: str, deadline: Deadline) -> Settled:
        """Move an order from ``held`` to ``state``; units of a cancelled or expired one go back on sale."""

    def order(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order as it stands, or None."""

    def handed_off(self, item: str, outbox_ids: Sequence[str], deadline: Deadline) -> None:
        """Remove these entries from the outbox: the broker has confirmed them (or the database has them)."""

    def note_handed_off(
        self, item: str, outbox_id: str, deadline: Deadline, report: Callable[[StoreError], None]
    ) -> None:
        """The same for one entry, soon and without waiting: with the next call that this process makes.

        ``report`` is told if it failed; what could not even be begun raises. An entry that stays is delivered again.
        """

    def outbox(self, item: str, min_age: float, limit: int, deadline: Deadline) -> list[OutboxEntry]:
        """The oldest entries that have lain for ``min_age`` seconds or more, at most ``limit``."""

    def outbox_depth(self, item: str, deadline: Deadline) -> tuple[int, int]:
        """How many entries wait, and since when the oldest does, in milliseconds since 1970 (0 if none waits)."""

    def due(self, item: str, limit: int, deadline: Deadline) -> list[str]:
        """Ids of holds whose time is over, at most ``limit``."""

    def announce(self, sku: str, deadline: Deadline) -> bool:
        """Let the ledger's ``items`` have this one, which may be loaded soon; whether they did not until now."""

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


class Switches(Protocol):
    """What operators say of routes in the place of the configuration, for all hosts."""

    def read(self, routes: Sequence[str], deadline: Deadline) -> Mapping[str, Override]:
        """What is said of these routes, by name; those of which nothing is said are missing."""

    def put(self, route: str, override: Override, deadline: Deadline) -> None:
        """Let this hold for a route until it is reset."""

    def reset(self, route: str, deadline: Deadline) -> None:
        """Leave a route to its configuration again."""

    def close(self) -> None:
        """Give the connection back."""
