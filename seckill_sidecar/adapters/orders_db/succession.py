"""One epoch of an item takes over another, with all its orders: what a rebuild of the ledger begins with.

From the commit on, a ledger that still has the old epoch is behind the database, so the fence refuses it, and an order
that is sold from it somewhere all the same finds an item row without a unit. Orders keep their numbers; what follows is
numbered, and chained, after them. So the history goes on, and each part of it names the epoch in which it happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seckill_sidecar.adapters.orders_db.fold import Row
from seckill_sidecar.adapters.orders_db.session import Session, Statement
from seckill_sidecar.adapters.orders_db.transactions import Transactions
from seckill_sidecar.errors import UsageError
from seckill_sidecar.ports import Kept

PATIENCE = 600.0
"""Seconds that one statement may take: all orders of an epoch move in one transaction."""


class Succession:
    """What a rebuild asks of one database."""

    def __init__(self, transactions: Transactions, queries: Mapping[str, Statement]) -> None:
        self._transactions = transactions
        self._find = transactions.find
        self._queries = queries

    def kept(self, item: str, epoch: int) -> Iterator[Kept]:
        """The orders of an epoch by their numbers, as a ledger needs them; a page in memory at a time."""
        late = {order_id for (order_id,) in self._find("late_payments", item=item)}
        for row in rows(self._transactions, "kept_page", item, epoch):
            yield _kept(row, row.order_id in late)

    def waiting(self, item: str, epoch: int) -> list[str]:
        """Ids of the orders of an epoch of which a parked message waits that would change a row."""
        return [order_id for (order_id,) in self._find("waiting_orders", item=item, epoch=epoch)]

    def carried(self, item: str, epoch: int) -> int:
        """The highest number of the orders that an epoch took over, 0 if it began anew."""
        found = self._find("carried", item=item, epoch=epoch)
        return int(found[0][0]) if found else 0

    def succeed(self, item: str, epoch: int, successor: int, total: int) -> None:
        """Let ``successor`` take over all orders of ``epoch``, in one transaction; ``total`` is its total of units.

        Raises ``UsageError`` if more units than that are held or paid, or if there is a later epoch.
        """

        def work(session: Session) -> None:
            session.begin(writing=True)
            self._succeed(session, item, epoch, successor, total)
            session.commit()

        self._transactions.alone(work, PATIENCE)

    def _succeed(self, session: Session, item: str, epoch: int, successor: int, total: int) -> None:
        of = {"item": item, "epoch": epoch}
        # First, since it locks the row: whoever writes orders of this epoch comes wholly before or wholly after.
        session.run(self._queries["end_epoch"], [of | {"successor": successor}])
        ((last_epoch, events),) = session.fetch(self._queries["high_water"], {"item": item})
        if int(last_epoch) != epoch:
            raise UsageError(f"{item} has come to epoch {last_epoch} meanwhile: look at it again")
        ((last,),) = session.fetch(self._queries["last_number"], of)
        session.run(self._queries["carry_orders"], [of | {"successor": successor}])
        held, paid = self._units(session, item, successor)
        if held + paid > total:
            raise UsageError(
                f"{held} units of {item} are held and {paid} paid: --total has to be {held + paid} at least"
            )
        row = {"item": item, "epoch": successor, "total": total, "held": held, "paid": paid}
        session.run(self._queries["begin_successor"], [row | {"events": int(events), "carried": int(last or 0)}])

    def _units(self, session: Session, item: str, epoch: int) -> tuple[int, int]:
        for of_epoch, *_, held, paid in session.fetch(self._queries["units"], {"item": item}):
            if int(of_epoch) == epoch:
                return int(held), int(paid)
        return 0, 0


def rows(transactions: Transactions, query: str, item: str, epoch: int) -> Iterator[Row]:
    """The rows of an epoch by their numbers, a page in memory at a time."""
    last = 0
    while (first := transactions.find("next_number", item=item, epoch=epoch, seq=last)[0][0]) is not None:
        page = [Row(*row) for row in transactions.page(query, item=item, epoch=epoch, first=first)]
        yield from page
        last = page[-1].seq if page else int(first)


def _kept(row: Row, late: bool) -> Kept:
    return Kept(
        order=row.order,
        no=row.event_no + late,  # a late payment is a step that changes no row
        late=late,
        key=row.idempotency_key or "",
        chain=row.accepted_chain or 0,
        prev=row.accepted_prev or "",
        total=row.accepted_total or 0,
    )


__all__ = ["Succession", "rows"]
