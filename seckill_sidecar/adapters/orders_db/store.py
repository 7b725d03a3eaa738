"""``ports.OrdersDb`` above a dialect: one ``write`` is one transaction.

lock known rows ──► leave out refunded orders ──► fold ──► rows ──► item rows (the bound) ──► the integrator's SQL
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter

from seckill_sidecar.adapters.orders_db import examination, history, migrations
from seckill_sidecar.adapters.orders_db.fold import REFUNDED, Changes, Row, fold, released
from seckill_sidecar.adapters.orders_db.parking import Parking
from seckill_sidecar.adapters.orders_db.session import Dialect, Session, Statement
from seckill_sidecar.adapters.orders_db.statements import compile_integrators, load_queries
from seckill_sidecar.adapters.orders_db.succession import Succession, rows
from seckill_sidecar.adapters.orders_db.transactions import Transactions
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import SchemaMismatch
from seckill_sidecar.model import ORDER_ID, SKU, Event, EventKind, Order, State
from seckill_sidecar.ports import DatabaseVitals, Ends, EpochUnits, Kept, Parked, ParkedState, Written
from seckill_sidecar.settings.schema import Timeouts, WriterSettings


class SqlOrdersDb:
    """The orders database on any dialect. Safe to share among threads and greenlets."""

    def __init__(
        self, dialect: Dialect, settings: WriterSettings, timeouts: Timeouts, connections: int, clock: Clock
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._patience = timeouts.database
        self._queries = load_queries(dialect)
        self._integrators = compile_integrators(dialect, settings)
        self._transactions = Transactions(dialect, self._queries, timeouts.database, connections, clock)
        self._find = self._transactions.find
        self._parking = Parking(self._transactions, dialect, self._queries, clock)
        self._succession = Succession(self._transactions, self._queries)

    # -- what the port asks -------------------------------------------------------------------------

    def migrate(self) -> list[str]:
        """Apply what is missing of the numbered schema files, under a lock; return their names."""
        files = migrations.schema_files(self._dialect)
        return self._transactions.alone(
            lambda session: migrations.migrate(session, self._dialect, self._queries, files), migrations.PATIENCE
        )

    def write(self, events: Sequence[Event]) -> Written:
        """Write a batch in one transaction; raises ``Unwritable`` if a row is at fault, and then changes nothing."""
        if not events:
            return Written(0, 0)
        # Most batches are new orders only, and then looking for their rows first is a third of the database's work. If
        # one is known after all, its key says so, and the next attempt looks.
        looks = chain((any(event.no > 1 for event in events),), repeat(True))
        changed = self._transactions.run(lambda session: self._write(session, events, look=next(looks)))
        return Written(changed=changed, repeated=len(events) - changed)

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
            yield from (row.order for row in rows(self._transactions, "orders_page", item, epoch))
            ((next_epoch,),) = self._find("next_epoch", item=item, epoch=epoch)
            if next_epoch is None:
                return
            epoch = int(next_epoch)

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

    def begin_epoch(self, item: str, epoch: int, total: int) -> None:
        """Know of a sale before its first order; doing it again does no harm."""
        row = {"item": item, "epoch": epoch, "total": total, "held": 0, "paid": 0, "events": 0}
        self._transactions.run(lambda session: session.run(self._queries["raise_totals"], [row]))

    def last_epoch(self, item: str) -> int:
        """The highest epoch that the database knows of, 0 if it has never heard of this item."""
        return self.high_water(item)[0]

    def high_water(self, item: str) -> tuple[int, int]:
        """The last epoch of which the database has orders and its highest event number; zeros if it has none."""
        rows = self._find("high_water", item=item)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def events(self, item: str, epoch: int) -> Iterator[Event]:
        """All events of an epoch that are here, written or parked, by their numbers; a few pages in memory."""
        return history.events(self._transactions, item, epoch)

    def last_event(self, item: str, epoch: int) -> int:
        """The highest number in an epoch's chain that any event here has, 0 if there is none."""
        return int(self._find("last_event", item=item, epoch=epoch)[0][0] or 0)

    def ends(self, item: str, epoch: int) -> Ends:
        """Where the history of an epoch ends, as far as it is here."""
        return history.ends(self._transactions, item, epoch)

    def examine(self, writing: bool = True) -> DatabaseVitals:
        """How fit the database is for a sale, or only to be read; changes nothing. Raises ``StoreError``."""
        if absent := self._dialect.absent():
            raise SchemaMismatch("database", absent)
        statements = [statement for state in State for statement in self._integrators[state]]
        return self._transactions.alone(
            lambda session: examination.examine(
                session, self._dialect, self._queries, statements, self._rehearse if writing else None, self._clock
            ),
            self._patience,
        )

    def _rehearse(self, session: Session, event: Event) -> None:
        """Write one order as ``_write`` does, without the integrator's SQL."""
        order_ids = [event.order.id]
        known = self._known_rows(session, order_ids)
        self._put(session, fold(self._parking.without_refunded(session, order_ids, [event]), known))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._transactions.close()

    # -- an epoch that another takes over, see succession.py ------------------------------------------

    def kept(self, item: str, epoch: int) -> Iterator[Kept]:
        """The orders of an epoch by their numbers, a page in memory at a time."""
        return self._succession.kept(item, epoch)

    def waiting(self, item: str, epoch: int) -> list[str]:
        """Ids of the orders of an epoch of which a parked message waits that would change a row."""
        return self._succession.waiting(item, epoch)

    def carried(self, item: str, epoch: int) -> int:
        """The highest number of the orders that an epoch took over, 0 if it began anew."""
        return self._succession.carried(item, epoch)

    def succeed(self, item: str, epoch: int, successor: int, total: int) -> None:
        """Let another epoch take over all orders of this one, in one transaction."""
        self._succession.succeed(item, epoch, successor, total)

    # -- parked messages, see parking.py --------------------------------------------------------------

    def park(self, parked: Parked) -> None:
        """Keep a message that can't be written, with its reason; the same message and body only once."""
        self._parking.park(parked)

    def parked(self) -> Iterator[Parked]:
        """All parked messages in any state, oldest first, a page in memory at a time."""
        return self._parking.all()

    def parked_counts(self) -> dict[ParkedState, int]:
        """How many parked messages are in each state."""
        return self._parking.counts()

    def parked_message(self, number: int) -> Parked | None:
        """The parked message of this number, or None."""
        return self._parking.one(number)

    def resolve_parked(self, number: int, at_ms: int) -> None:
        """Mark a message that waits as ``retried``."""
        self._parking.resolve(number, at_ms)

    def explain_parked(self, number: int, reason: str) -> None:
        """Keep why a parked message could not be written the last time."""
        self._parking.explain(number, reason)

    def refund(self, parked: Parked, state: State, at_ms: int) -> bool:
        """Undo a parked message's order, once; False if that was done before."""
        return self._transactions.run(lambda session: self._refund(session, parked, state, at_ms))

    def _refund(self, session: Session, parked: Parked, state: State, at_ms: int) -> bool:
        event = Event.decode(parked.body)
        order_id = event.order.id
        row = self._known_rows(session, [order_id]).get(order_id)
        messages = self._parking.messages_of(session, [order_id])
        waiting = {kind for _, _, stands, kind in messages if ParkedState(stands).waits}
        if not waiting:
            return False
        self._parking.mark_refunded(session, order_id, at_ms)
        if any(stands == ParkedState.REFUNDED for _, _, stands, _ in messages):
            return True
        if row is not None and row.state == State.HELD and waiting != {EventKind.LATE_PAYMENT}:
            self._put(session, released(row, state, at_ms))
        undone = (row or Row.after(event))._replace(state=State.CANCELLED.value, reason=REFUNDED, updated_at_ms=at_ms)
        self._tell(session, State.CANCELLED, [undone])
        return True

    # -- the one write --------------------------------------------------------------------------------

    def _write(self, session: Session, events: Sequence[Event], look: bool) -> int:
        order_ids = sorted({event.order.id for event in events})
        known = self._known_rows(session, order_ids) if look else {}
        changes = fold(self._parking.without_refunded(session, order_ids, events), known)
        self._put(session, changes)
        for state in State:  # held first: a new order exists before it is settled
            self._tell(session, state, changes.entered[state])
        return changes.changed

    def _known_rows(self, session: Session, order_ids: Sequence[str]) -> dict[str, Row]:
        found = session.fetch(self._queries["known_orders"], {"order_ids": self._dialect.many(order_ids)})
        return {row[0]: Row(*row) for row in found}

    def _put(self, session: Session, changes: Changes) -> None:
        for query, put in (
            ("insert_held", [row for row in changes.inserts if row.is_plain]),
            ("insert_orders", [row for row in changes.inserts if not row.is_plain]),
            ("update_orders", changes.updates),
            ("complete_orders", changes.completions),
        ):
            _run(session, self._queries[query], put)
        self._put_items(session, changes)

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

    def _tell(self, session: Session, state: State, rows: Sequence[Row]) -> None:
        """Run the integrator's SQL for orders that entered a state."""
        for statement in self._integrators[state]:
            _run(session, statement, rows)


def _run(session: Session, statement: Statement, rows: Sequence[Row]) -> None:
    """Each row with only what the statement names: quoting values is what takes a driver's time."""
    if rows:
        names = statement.parameters
        values = _getter(names)
        session.run(statement, [dict(zip(names, values(row), strict=True)) for row in rows])


def _getter(names: Sequence[str]) -> Callable[[Row], tuple[object, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)  # of one name, attrgetter makes no tuple
