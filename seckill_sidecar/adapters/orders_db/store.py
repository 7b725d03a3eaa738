"""``ports.OrdersDb`` above a dialect: one ``write`` is one transaction.

    lock known rows ──► fold ──► rows ──► item rows (the bound) ──► the integrator's SQL ──► COMMIT

A driver's error becomes ours here, by what it means and by when it came: before COMMIT nothing was changed; during it,
nobody knows, and writing the same events again is the answer.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from seckill_sidecar import faults
from seckill_sidecar.adapters.orders_db import migrations
from seckill_sidecar.adapters.orders_db.fold import Changes, Row, fold
from seckill_sidecar.adapters.orders_db.pool import Pool
from seckill_sidecar.adapters.orders_db.session import Dialect, Fault, Session
from seckill_sidecar.adapters.orders_db.statements import compile_integrators, load_queries
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import (
    OutcomeUnknown,
    OverTotal,
    SchemaMismatch,
    StoreDown,
    StoreError,
    Unwritable,
)
from seckill_sidecar.model import ORDER_ID, SKU, Event, Order, State
from seckill_sidecar.ports import EpochUnits, Parked, Written
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

ATTEMPTS = 3
"""How often a transaction is tried that lost against another one, or whose connection was closed while idle."""
PAGE = 1000
_BOUND = "seckill_items_bound"
_REASON_CHARACTERS = 2000
_SAID = 500

T = TypeVar("T")


class _Failed(Exception):
    """What a transaction failed with, and whether it is worth another attempt at once."""

    def __init__(self, error: StoreError, again: bool) -> None:
        super().__init__(error)
        self.error = error
        self.again = again


class SqlOrdersDb:
    """The orders database on any dialect. Safe to share among threads and greenlets."""

    def __init__(
        self, dialect: Dialect, settings: WriterSettings, timeouts: Timeouts, connections: int, clock: Clock
    ) -> None:
        self._dialect = dialect
        self._patience = timeouts.database
        self._queries = load_queries(dialect)
        self._integrators = compile_integrators(dialect, settings)
        self._pool = Pool(lambda: self._open(self._patience), connections, self._patience, clock)

    # -- what the port asks -------------------------------------------------------------------------

    def migrate(self) -> list[str]:
        """Apply what is missing of the numbered schema files, under a lock; return their names."""
        session = self._open(migrations.PATIENCE)
        try:
            return migrations.migrate(session, self._dialect, self._queries, migrations.schema_files(self._dialect))
        except self._dialect.errors as error:
            raise self._failed(session, error).error from error
        finally:
            _end(session)

    def write(self, events: Sequence[Event]) -> Written:
        """Write a batch in one transaction; raises ``Unwritable`` if a row is at fault, and then changes nothing."""
        if not events:
            return Written(0, 0)
        changed = self._transact(lambda session: self._write(session, events), writing=True)
        return Written(changed=changed, repeated=len(events) - changed)

    def park(self, parked: Parked) -> None:
        """Keep a message that can't be written, with its reason; the same message and body only once."""
        row = {
            "message_id": parked.message_id,
            "body_sha256": hashlib.sha256(parked.body).hexdigest(),
            "reason": parked.reason[:_REASON_CHARACTERS].encode(errors="backslashreplace").decode(),
            "body": parked.body,
            "at_ms": parked.at_ms,
        }
        self._transact(lambda session: session.run(self._queries["park"], [row]), writing=True)

    def order(self, order_id: str) -> Order | None:
        """The order as the database has it, or None."""
        if not ORDER_ID.fullmatch(order_id):
            return None
        rows = self._find("order", order_id=order_id)
        return Row(*rows[0]).order if rows else None

    def orders(self, item: str, epoch: int = 0) -> Iterator[Order]:
        """All orders of an item from this epoch on, by epoch and number, a page in memory at a time.

        No snapshot of one moment.
        """
        while SKU.fullmatch(item):
            yield from self._orders_of_epoch(item, epoch)
            ((next_epoch,),) = self._find("next_epoch", item=item, epoch=epoch)
            if next_epoch is None:
                return
            epoch = int(next_epoch)

    def _orders_of_epoch(self, item: str, epoch: int) -> Iterator[Order]:
        seq = 0
        while page := [Row(*row) for row in self._find("orders_page", item=item, epoch=epoch, seq=seq, most=PAGE)]:
            yield from (row.order for row in page)
            seq = page[-1].seq

    def orders_named(self, order_ids: Sequence[str]) -> list[Order]:
        """Those orders that have these ids."""
        if not order_ids:
            return []
        return [Row(*row).order for row in self._find("named_orders", order_ids=self._dialect.many(order_ids))]

    def items(self) -> list[str]:
        """SKUs of all items of which there is a row or an order, sorted."""
        return sorted(sku for (sku,) in self._find("items"))

    def units(self, item: str) -> list[EpochUnits]:
        """The item's rows beside the sums over its orders, an epoch each; zeros where either is missing."""
        return [EpochUnits(*map(int, row)) for row in self._find("units", item=item)]

    def last_epoch(self, item: str) -> int:
        """The highest epoch of which the database has orders, 0 if it has none of this item."""
        return self.high_water(item)[0]

    def high_water(self, item: str) -> tuple[int, int]:
        """The last epoch of which the database has orders and its highest event number; zeros if it has none."""
        rows = self._find("high_water", item=item)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def parked(self) -> Iterator[Parked]:
        """All parked messages, oldest first, a page in memory at a time."""
        last = 0
        while page := self._find("parked_page", id=last, most=PAGE):
            yield from (Parked(message_id, reason, bytes(body), at_ms) for _, message_id, reason, body, at_ms in page)
            last = page[-1][0]

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.clear()

    # -- the one write --------------------------------------------------------------------------------

    def _write(self, session: Session, events: Sequence[Event]) -> int:
        order_ids = sorted({event.order.id for event in events})
        found = session.fetch(self._queries["known_orders"], {"order_ids": self._dialect.many(order_ids)})
        changes = fold(events, {row[0]: Row(*row) for row in found})
        self._put_rows(session, changes)
        self._put_items(session, changes)
        self._tell_legacy_tables(session, changes)
        return changes.changed

    def _put_rows(self, session: Session, changes: Changes) -> None:
        for name, rows in ("insert_orders", changes.inserts), ("update_orders", changes.updates):
            if rows:
                session.run(self._queries[name], [row.parameters for row in rows])

    def _put_items(self, session: Session, changes: Changes) -> None:
        """Before the integrator's SQL: the item's row makes writers take turns, so that theirs won't deadlock."""
        items = [
            {
                "item": item,
                "epoch": epoch,
                "total": units.total,
                "held": units.held,
                "paid": units.paid,
                "events": units.events,
            }
            for (item, epoch), units in sorted(changes.items.items())
        ]
        session.run(self._queries["raise_totals"], items)
        moves = [item for item in items if item["held"] or item["paid"]]
        if moves:
            session.run(self._queries["move_units"], moves)

    def _tell_legacy_tables(self, session: Session, changes: Changes) -> None:
        for state in State:  # held first: a new order exists before it is settled
            rows = changes.entered[state]
            for statement in self._integrators[state] if rows else ():
                session.run(statement, [row.parameters for row in rows])

    # -- transactions and their errors ----------------------------------------------------------------

    def _find(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._transact(lambda session: session.fetch(self._queries[query], parameters), writing=False)

    def _transact(self, work: Callable[[Session], T], writing: bool) -> T:
        attempt = 1
        while True:
            try:
                with self._transaction(writing) as session:
                    return work(session)
            except _Failed as failed:
                if attempt == ATTEMPTS or not failed.again:
                    raise failed.error from failed.__cause__
                attempt += 1

    @contextmanager
    def _transaction(self, writing: bool) -> Iterator[Session]:
        session = self._pool.take()
        try:
            session.begin(writing)
            yield session
            if writing:
                faults.hit("before_commit")
                session.commit()
                faults.hit("after_commit")
            else:
                session.rollback()
        except self._dialect.errors as error:
            failed = self._failed(session, error)
            self._pool.discard(session, _end)
            raise failed from error
        except BaseException:
            self._pool.discard(session, _end)
            raise
        self._pool.give(session)

    def _open(self, patience: float) -> Session:
        try:
            return self._dialect.open(patience)
        except self._dialect.errors as error:
            raise StoreDown("database", f"can't connect to {self._dialect.where}: {_said(error)}") from error

    def _failed(self, session: Session, error: Exception) -> _Failed:
        fault = self._dialect.fault(error)
        said = f"{session.doing}: {_said(error)}"
        if session.committing and fault is not Fault.BUSY:
            return _Failed(OutcomeUnknown("database", said), again=False)
        if fault is Fault.LOST:
            self._pool.clear()  # what broke one connection broke those that are idle
            return _Failed(StoreDown("database", said), again=session.reused)
        # Another writer may have inserted our row; the integrator's keys are theirs to look after.
        again = fault is Fault.BUSY or (fault is Fault.DUPLICATE and session.ours)
        return _Failed(_MEANINGS[fault](said), again)


def _check(said: str) -> StoreError:
    if _BOUND in said:
        return OverTotal("database", f"held and paid units would exceed the item's total ({said})")
    return Unwritable("database", said)


_MEANINGS: dict[Fault, Callable[[str], StoreError]] = {
    Fault.DOWN: lambda said: StoreDown("database", said),
    Fault.BUSY: lambda said: StoreDown("database", f"{said}, {ATTEMPTS} times"),
    Fault.DUPLICATE: lambda said: Unwritable("database", said),
    Fault.CHECK: _check,
    Fault.DATA: lambda said: Unwritable("database", said),
    Fault.SCHEMA: lambda said: SchemaMismatch(
        "database", f"{said}; mend the statement or the database (are migrations and privileges complete?)"
    ),
}


def _end(session: Session) -> None:
    """Roll back by word, not only by hanging up: the server may take its time to notice the latter."""
    with contextlib.suppress(Exception):
        session.rollback()
    with contextlib.suppress(Exception):
        session.close()


def _said(error: Exception) -> str:
    """A driver's words, with the code first if it has one."""
    return ": ".join(str(part) for part in error.args)[:_SAID]
