"""Reads the stores in the order in which an order travels, so that motion can't be taken for loss.

    ledger ──► outbox ──► (broker) ──► database, or parked

An order never goes backwards: it leaves a place only when the next one has it. Read in this direction, an order that is
in motion is met in one place at least, or is in the broker, which nobody can look into. Read against it, an order could
step from the store that is read next into the one that was read before, and be seen in neither. What is seen in a later
store and not in the ledger was accepted after the ledger was read; asking the ledger again for it, by its id, tells.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from seckill_sidecar.adapters.places import Places
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BadMessage, LedgerUntrusted
from seckill_sidecar.model import Event, EventKind
from seckill_sidecar.ops.audit.books import Books, LedgerBook
from seckill_sidecar.ports import Ledger, OrdersDb, ParkedState

MOST_UNREADABLE = 20
_SECONDS = 5.0


@dataclass(slots=True)
class Reading:
    """What was read of one item, beside its orders."""

    sku: str
    epoch: int
    """The orders of this epoch, and of later ones, are compared; those of earlier ones are the database's alone."""
    seq: int = 0
    """The number of the last order of that epoch when the ledger's orders began to be read."""
    carried: int = 0
    """The number after which the epoch's own begin: those up to it are of an epoch that it took over, and what a
    rebuild did not find of them is not looked for any more."""
    books: Books = field(default_factory=Books)
    damage: str = ""
    """Why the ledger can't be read, if so; then the item's orders aren't compared."""
    outbox_read_to: str = "0"
    unreadable: list[str] = field(default_factory=list)
    """Ids of outbox entries that hold no event; the first of them."""


class Reader:
    """Reads items into a table of places."""

    def __init__(self, ledger: Ledger, orders: OrdersDb, clock: Clock, places: Places) -> None:
        self._ledger = ledger
        self._orders = orders
        self._clock = clock
        self._places = places

    def read(self, sku: str) -> Reading:
        """The first look at one item; the parked messages are still to come."""
        reading = Reading(sku, epoch=self._orders.last_epoch(sku))
        book = None
        with self._noting_damage(reading):
            book = self._read_ledger(sku, self._places)
            if book is not None:
                reading.epoch = book.after.epoch
                reading.seq = book.before.seq if book.before.epoch == reading.epoch else 0
            reading.carried = self._orders.carried(sku, reading.epoch)
            self._places.put_outbox(self._outbox(reading))
            self._places.put_database(self._orders.orders(sku, reading.epoch))
        reading.books = Books(book, self._orders.units(sku))
        return reading

    def read_parked(self, readings: Collection[Reading]) -> None:
        """The end of the first look."""
        self._places.put_parked(self._parked(readings))

    def read_again(self, readings: Collection[Reading]) -> None:
        """Ask anew for the orders whose place isn't final, in the same direction."""
        for reading in (reading for reading in readings if not reading.damage):
            with self._noting_damage(reading):
                for order_ids in self._places.unsettled(reading.sku):
                    self._places.renew_ledger(self._ledger.orders_named(reading.sku, order_ids))
                self._places.renew_outbox(self._outbox(reading))
                for order_ids in self._places.unsettled(reading.sku):
                    self._places.renew_database(self._orders.orders_named(order_ids))
        self._places.renew_parked(self._parked(readings))

    def read_books_again(self, reading: Reading) -> None:
        """Read an item's units anew. Apart from its places, which are of an earlier moment."""
        book = None
        with self._noting_damage(reading), closing(Places()) as places:
            book = self._read_ledger(reading.sku, places)
        reading.books = Books(book, self._orders.units(reading.sku))

    # -- one store each -----------------------------------------------------------------------------------

    def _read_ledger(self, sku: str, places: Places) -> LedgerBook | None:
        before = self._ledger.item(sku, self._deadline())
        if before is None:
            return None
        places.put_ledger(self._ledger.orders(sku))
        after = self._ledger.item(sku, self._deadline())
        if after is None:
            raise LedgerUntrusted("ledger", f"the item key of {sku} has vanished")
        return LedgerBook(before, after, *places.units(sku, before.epoch, before.seq))

    def _outbox(self, reading: Reading) -> Iterator[Event]:
        """What has joined the outbox since it was last read: what was there before has been seen."""
        for entry in self._ledger.outbox_from(reading.sku, reading.outbox_read_to):
            reading.outbox_read_to = entry.id
            try:
                event = Event.decode(entry.body)
            except BadMessage:
                reading.unreadable = [*reading.unreadable, entry.id][:MOST_UNREADABLE]
            else:
                if event.order.epoch >= reading.epoch:
                    yield event

    def _parked(self, readings: Iterable[Reading]) -> Iterator[Event]:
        """What parked messages keep and no row has: until an operator retries them, or for good once refunded."""
        epochs = {reading.sku: reading.epoch for reading in readings if not reading.damage}
        for parked in self._orders.parked():
            if parked.state is ParkedState.RETRIED:
                continue  # it was written, so the database has to have it
            try:
                event = Event.decode(parked.body)
            except BadMessage:
                continue  # it names no order; the one that it belongs to will be missing
            if event.kind is EventKind.LATE_PAYMENT:
                continue  # it changed nothing; its order stands elsewhere
            if event.order.epoch >= epochs.get(event.order.item, math.inf):
                yield event

    @contextmanager
    def _noting_damage(self, reading: Reading) -> Iterator[None]:
        """One item's damaged ledger must not keep the others from being audited."""
        try:
            yield
        except LedgerUntrusted as error:
            reading.damage = error.what
            self._places.forget(reading.sku)

    def _deadline(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)
