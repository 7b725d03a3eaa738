"""Each order's one place: what ledger, outbox, database and parked messages say of it, side by side.

A table of SQLite's in a temporary file, which no other process sees and which goes with this one: a million orders take
disk, not memory. The stores are put into it one after the other; the places follow from the rows by one expression.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Any, TypeVar

from seckill_sidecar.model import Event, Order

_CACHE_KIB = 32_768
_BATCH = 1000
_T = TypeVar("_T")


class Place(StrEnum):
    """Where an order is."""

    IN_DATABASE = "in_database"
    IN_OUTBOX = "in_outbox"
    PARKED = "parked"
    ON_ITS_WAY = "on_its_way"
    """In the ledger and nowhere else: between outbox and database, or lost."""
    DIFFERING = "differing"
    """In ledger and database, which don't agree about it."""
    UNKNOWN = "unknown"
    """In another store, while the ledger doesn't know it."""


UNSETTLED = (Place.ON_ITS_WAY, Place.DIFFERING, Place.UNKNOWN)
"""Right only while an order is in motion, and only until the next look."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What each store says of one order: its state there, or None."""

    order_id: str
    ledger: str | None
    outbox: str | None
    database: str | None
    parked: bool


_TABLE = """
CREATE TABLE orders (
    item        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    quantity    INTEGER NOT NULL,
    ledger      TEXT,                       -- its state there
    ledger_is   INTEGER,                    -- what no step of it may change, hashed
    outbox      TEXT,                       -- the state that its last event there leads to
    database    TEXT,
    database_is INTEGER,
    times       INTEGER NOT NULL DEFAULT 0, -- rows in the database
    parked      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (item, id)
) WITHOUT ROWID
"""

# The database follows the ledger. Where it still says held, the step that it lacks may be in the outbox, or parked.
_PLACES = """
CREATE VIEW places AS SELECT *, CASE
    WHEN ledger IS NULL THEN 'unknown'
    WHEN database IS NULL AND parked THEN 'parked'
    WHEN database IS NULL AND outbox IS NOT NULL THEN 'in_outbox'
    WHEN database IS NULL THEN 'on_its_way'
    WHEN ledger_is <> database_is THEN 'differing'
    WHEN database = ledger THEN 'in_database'
    WHEN database = 'held' AND outbox = ledger THEN 'in_database'
    WHEN database = 'held' AND parked THEN 'parked'
    ELSE 'differing'
END AS place FROM orders
"""

# The ledger is scanned in the order of its hash table. Put into the sorted table like that, nearly every order would
# touch a page of its own, so what was scanned is sorted first.
_SCANNED = "CREATE TABLE scanned (item, id, epoch, seq, quantity, ledger, ledger_is)"
_PUT_SCANNED = "INSERT INTO scanned VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT_LEDGER = """
INSERT INTO orders (item, id, epoch, seq, quantity, ledger, ledger_is)
SELECT item, id, epoch, seq, quantity, ledger, ledger_is FROM scanned WHERE true ORDER BY item, id, rowid
ON CONFLICT (item, id) DO UPDATE SET ledger = excluded.ledger
"""
_PUT_OUTBOX = """
INSERT INTO orders (item, id, epoch, seq, quantity, outbox) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (item, id) DO UPDATE SET outbox = excluded.outbox
"""
_PUT_DATABASE = """
INSERT INTO orders (item, id, epoch, seq, quantity, database, database_is, times) VALUES (?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (item, id) DO UPDATE SET database = excluded.database, database_is = excluded.database_is, times = times + 1
"""
_PUT_PARKED = """
INSERT INTO orders (item, id, epoch, seq, quantity, parked) VALUES (?, ?, ?, ?, ?, 1)
ON CONFLICT (item, id) DO UPDATE SET parked = 1
"""

# The item's own units are those of the moment at which its number was :last; later orders aren't among them.
_UNITS = """
SELECT COALESCE(SUM(CASE ledger WHEN 'held' THEN quantity ELSE 0 END), 0),
    COALESCE(SUM(CASE ledger WHEN 'paid' THEN quantity ELSE 0 END), 0)
FROM orders
WHERE item = :item AND (epoch < :epoch OR seq <= :last)
"""
_NUMBERS = """
SELECT COUNT(DISTINCT seq) FROM orders WHERE item = :item AND epoch = :epoch AND seq > :after AND seq <= :last
"""
_GAPS = """
SELECT previous + 1, seq - 1
FROM (
    SELECT seq, LAG(seq, 1, :after) OVER (ORDER BY seq) AS previous
    FROM (
        SELECT seq FROM orders WHERE item = :item AND epoch = :epoch AND seq > :after AND seq <= :last
        UNION ALL SELECT :last + 1
    )
)
WHERE seq > previous + 1
LIMIT :most
"""
_SAME_NUMBER = "SELECT COUNT(*) - 1, MAX(id) FROM orders WHERE item = ? GROUP BY epoch, seq HAVING COUNT(*) > 1"
_MORE_ROWS = "SELECT times - 1, id FROM orders WHERE item = ? AND times > 1"


class Places:
    """The table. Put the ledger in first, then what comes after it on an order's way: see ``put_database``."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("", isolation_level=None)  # no name: a file that is deleted as soon as opened
        for setting in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._table.execute(f"PRAGMA {setting}")
        for definition in (_TABLE, _SCANNED, _PLACES):
            self._table.execute(definition)

    def close(self) -> None:
        """Delete the file."""
        self._table.close()

    # -- the first look ---------------------------------------------------------------------------------

    def put_ledger(self, orders: Iterable[Order]) -> None:
        """Orders as the ledger has them; one that comes twice (HSCAN) counts once, as it stood the last time."""
        self._put(_PUT_SCANNED, ((*_named(order), order.state, _identity(order)) for order in orders))
        self._table.execute(_PUT_LEDGER)
        self._table.execute("DELETE FROM scanned")

    def put_outbox(self, events: Iterable[Event]) -> None:
        """Events that wait in the outbox, oldest first."""
        self._put(_PUT_OUTBOX, ((*_named(event.order), event.order.state) for event in events))

    def put_database(self, orders: Iterable[Order]) -> None:
        """Rows of the database."""
        self._put(_PUT_DATABASE, ((*_named(order), order.state, _identity(order)) for order in orders))

    def put_parked(self, events: Iterable[Event]) -> None:
        """Events that were parked."""
        self._put(_PUT_PARKED, (_named(event.order) for event in events))

    def forget(self, item: str) -> None:
        """Drop an item's orders: its ledger turned out to be unreadable, so nothing can be said about them."""
        self._table.execute("DELETE FROM orders WHERE item = ?", (item,))

    # -- looking again: at orders that are here, so that a sale that goes on adds nothing ----------------------

    def renew_ledger(self, orders: Iterable[Order]) -> None:
        """How orders stand in the ledger now."""
        update = "UPDATE orders SET ledger = ?, ledger_is = ? WHERE item = ? AND id = ?"
        self._put(update, ((order.state, _identity(order), order.item, order.id) for order in orders))

    def renew_outbox(self, events: Iterable[Event]) -> None:
        """What has joined the outbox."""
        update = "UPDATE orders SET outbox = ? WHERE item = ? AND id = ?"
        self._put(update, ((event.order.state, event.order.item, event.order.id) for event in events))

    def renew_database(self, orders: Iterable[Order]) -> None:
        """How orders stand in the database now."""
        update = "UPDATE orders SET database = ?, database_is = ? WHERE item = ? AND id = ?"
        self._put(update, ((order.state, _identity(order), order.item, order.id) for order in orders))

    def renew_parked(self, events: Iterable[Event]) -> None:
        """What is parked now."""
        update = "UPDATE orders SET parked = 1 WHERE item = ? AND id = ?"
        self._put(update, ((event.order.item, event.order.id) for event in events))

    # -- what follows -------------------------------------------------------------------------------------

    def counts(self, item: str) -> dict[Place, int]:
        """How many orders are in each place."""
        found = self._table.execute("SELECT place, COUNT(*) FROM places WHERE item = ? GROUP BY place", (item,))
        return {Place(place): count for place, count in found}

    def unsettled(self, item: str) -> Iterator[list[str]]:
        """Ids of the orders whose place isn't final, some hundred at a time; they may be renewed meanwhile."""
        last, most = "", _BATCH // 2
        query = "SELECT id FROM places WHERE item = ? AND id > ? AND place IN (?, ?, ?) ORDER BY id LIMIT ?"
        while page := [row[0] for row in self._table.execute(query, (item, last, *UNSETTLED, most))]:
            yield page
            last = page[-1]

    def units(self, item: str, epoch: int, last: int) -> tuple[int, int]:
        """Units held and paid by the ledger's orders up to the number ``last`` of this epoch."""
        held, paid = self._table.execute(_UNITS, {"item": item, "epoch": epoch, "last": last}).fetchone()
        return held, paid

    def numbers_missing(self, item: str, epoch: int, after: int, last: int) -> int:
        """How many of the numbers after ``after``, to ``last``, no order of this epoch has."""
        numbers = {"item": item, "epoch": epoch, "after": after, "last": last}
        return max(0, last - after) - int(self._table.execute(_NUMBERS, numbers).fetchone()[0])

    def gaps(self, item: str, epoch: int, after: int, last: int, most: int) -> list[tuple[int, int]]:
        """The first of these numbers, as (first, last) of each gap."""
        numbers = {"item": item, "epoch": epoch, "after": after, "last": last, "most": most}
        return list(self._table.execute(_GAPS, numbers))

    def doubles(self, item: str) -> Iterator[tuple[int, str]]:
        """Orders too many: how many more have the number of another, or come more than once, and the id of one."""
        yield from chain(self._table.execute(_SAME_NUMBER, (item,)), self._table.execute(_MORE_ROWS, (item,)))

    def examples(self, place: Place, most: int) -> list[Traces]:
        """Some of the orders in a place."""
        query = "SELECT id, ledger, outbox, database, parked FROM places WHERE place = ? LIMIT ?"
        found = self._table.execute(query, (place, most))
        return [
            Traces(order_id, ledger, outbox, database, bool(parked))
            for order_id, ledger, outbox, database, parked in found
        ]

    def _put(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for batch in _batches(rows):
            self._table.execute("BEGIN")
            self._table.executemany(statement, batch)
            self._table.execute("COMMIT")


def _named(order: Order) -> tuple[Any, ...]:
    return order.item, order.id, order.epoch, order.seq, order.quantity


def _identity(order: Order) -> int:
    return hash((order.epoch, order.seq, order.buyer, order.quantity))


def _batches(rows: Iterable[_T]) -> Iterator[list[_T]]:
    """Read before they are written: a store must not be waited for with a transaction open."""
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
