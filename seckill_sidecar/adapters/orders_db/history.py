"""A sale's history, told again from the rows: the accepted events by their orders' numbers, those that settled an order
by their own, and what was parked. Each stream is indexed; merged by the number in the chain they are the whole history.

An epoch that took over another one goes on with its history, so that the events up to a certain number are those of the
epoch before it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from operator import attrgetter

from seckill_sidecar.adapters.orders_db.fold import Row
from seckill_sidecar.adapters.orders_db.succession import rows
from seckill_sidecar.adapters.orders_db.transactions import Transactions
from seckill_sidecar.model import Event, EventKind, State, restated
from seckill_sidecar.ports import Ends

_KINDS = {
    State.PAID: EventKind.PAID,
    State.CANCELLED: EventKind.CANCELLED,
    State.EXPIRED: EventKind.EXPIRED,
}
_CHAIN = attrgetter("chain")
_FIRST_PREV = "0" * 40


class _Eras:
    """In which epoch an event happened, by its number."""

    def __init__(self, transactions: Transactions, item: str, epoch: int) -> None:
        self.epochs, self.lasts = [epoch], [1 << 62]
        while found := transactions.find("predecessor", item=item, epoch=self.epochs[0]):
            self.epochs.insert(0, int(found[0][0]))
            self.lasts.insert(0, int(found[0][1]))

    def place(self, event: Event) -> Event:
        """The event, in the epoch in which it happened; its order's row may have been taken over since."""
        epoch = self.epochs[bisect_left(self.lasts, event.chain)]
        return event if event.order.epoch == epoch else replace(event, order=replace(event.order, epoch=epoch))


def events(transactions: Transactions, item: str, epoch: int) -> Iterator[Event]:
    """All events of an epoch that are here, by their numbers, a few pages in memory at a time."""
    eras = _Eras(transactions, item, epoch)
    streams = [
        (eras.place(_accepted(row)) for row in rows(transactions, "kept_page", item, epoch) if row.accepted_chain),
        (eras.place(_settled(row)) for row in _settled_rows(transactions, item, epoch)),
        *(
            takewhile(_until(last), _parked(transactions, item, of_epoch))
            for of_epoch, last in zip(eras.epochs, eras.lasts, strict=True)
        ),
    ]
    last = 0
    for event in heapq.merge(*streams, key=_CHAIN):
        if event.chain != last:  # one that was parked and written later is in two streams
            yield event
        last = event.chain


def ends(transactions: Transactions, item: str, epoch: int) -> Ends:
    """The number and digest of the last event. If the last one is not here, the next is chained to what is."""
    eras = _Eras(transactions, item, epoch)
    found = [eras.place(_accepted(Row(*row))) for row in transactions.find("last_accepted", item=item, epoch=epoch)]
    found += [eras.place(_settled(Row(*row))) for row in transactions.find("last_settled", item=item, epoch=epoch)]
    for of, until in zip(eras.epochs, eras.lasts, strict=True):
        parked = transactions.find("last_parked_event", item=item, epoch=of, last=until)
        found += [Event.decode(bytes(body)) for _, body in parked]
    last = max(found, key=_CHAIN, default=None)
    counted = max((int(events) for of, events in transactions.find("high_water", item=item) if of == epoch), default=0)
    if last is None:
        return Ends(counted, _FIRST_PREV)
    return Ends(max(counted, last.chain), last.digest)


def _until(last: int) -> Callable[[Event], bool]:
    return lambda event: event.chain <= last


def _settled_rows(transactions: Transactions, item: str, epoch: int) -> Iterator[Row]:
    after = 0
    while page := [Row(*row) for row in transactions.page("settled_page", item=item, epoch=epoch, after=after)]:
        yield from page
        after = page[-1].settled_chain or 0


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
