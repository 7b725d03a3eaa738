"""An epoch's events as they were, told from the rows that they left.

accepted, by order ──┐
settled, by number ──┼─► merged by their numbers in the chain, each once
parked, by number ───┘
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from operator import attrgetter

from seckill_sidecar.adapters.orders_db.fold import Row
from seckill_sidecar.adapters.orders_db.transactions import Transactions
from seckill_sidecar.model import Event, EventKind, State, restated

_KINDS = {
    State.PAID: EventKind.PAID,
    State.CANCELLED: EventKind.CANCELLED,
    State.EXPIRED: EventKind.EXPIRED,
}
_CHAIN = attrgetter("chain")

Page = Callable[[int], list[Event]]
"""The next events of one kind after a position."""


def events(transactions: Transactions, item: str, epoch: int) -> Iterator[Event]:
    """All events of an epoch that are here, by their numbers, three pages in memory at a time."""
    accepted = _rows(transactions, "accepted_page", item, epoch)
    settled = _rows(transactions, "settled_page", item, epoch)
    last = 0
    streams = (map(_accepted, accepted), map(_settled, settled), _parked(transactions, item, epoch))
    for event in heapq.merge(*streams, key=_CHAIN):
        if event.chain != last:  # one that was parked and written later is in two streams
            yield event
        last = event.chain


def _rows(transactions: Transactions, query: str, item: str, epoch: int) -> Iterator[Row]:
    after = 0
    while page := [Row(*row) for row in transactions.page(query, item=item, epoch=epoch, after=after)]:
        yield from page
        after = page[-1].seq if page[-1].settled_chain is None else page[-1].settled_chain


def _parked(transactions: Transactions, item: str, epoch: int) -> Iterator[Event]:
    after = 0
    while page := transactions.page("parked_events_page", item=item, epoch=epoch, after=after):
        yield from (Event.decode(bytes(body)) for _, body in page)
        after = page[-1][0]


def _accepted(row: Row) -> Event:
    order = restated(row.order, State.HELD)
    return Event(
        EventKind.ACCEPTED, 1, order, row.accepted_total or 0, row.accepted_at_ms,
        chain=row.accepted_chain or 0, prev=row.accepted_prev or "",
    )  # fmt: skip


def _settled(row: Row) -> Event:
    return Event(
        _KINDS[State(row.state)], row.event_no, row.order, row.settled_total or 0, row.updated_at_ms, row.reason,
        chain=row.settled_chain or 0, prev=row.settled_prev or "",
    )  # fmt: skip
