"""Folds events into the rows of their orders. Pure: any order, repetition and batching of events ends in the same rows.

    events + known rows ──► rows to insert, rows to update, units to move, what the integrator's SQL is to be told

An order's row is what its event of the highest number says. ``Event.no`` counts an order's steps from 1, so an event
that is late or repeated is seen as such; one that contradicts what is known is refused, since one of both is false.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from seckill_sidecar.errors import Unwritable
from seckill_sidecar.model import Event, EventKind, Order, State

BUYER_CHARACTERS = 255
REASON_BYTES = 65_535
REFUNDED = "refunded"
"""The reason that an order has which an operator refunded."""

_NUMBER = attrgetter("no")
_NO_LINKS = (None, None, None)


class Row(NamedTuple):
    """One row of ``seckill_orders``, columns in the order of the queries.

    The last seven say what its two events, ``accepted`` and the one that settled it, can't be told of otherwise; None
    until that event has come.
    """

    order_id: str
    item: str
    epoch: int
    seq: int
    buyer: str
    quantity: int
    state: str
    event_no: int
    accepted_at_ms: int
    due_at_ms: int
    reason: str
    updated_at_ms: int
    accepted_chain: int | None = None
    accepted_prev: str | None = None
    accepted_total: int | None = None
    settled_chain: int | None = None
    settled_prev: str | None = None
    settled_total: int | None = None
    idempotency_key: str | None = None
    """With the ``accepted`` event; the buyer's own word for the purchase, if there was one."""

    @classmethod
    def after(cls, event: Event) -> Row:
        """The row of an order of which this is the only event known."""
        order, state = event.order, event.kind.state.value
        links: tuple[Any, ...] = (event.chain, event.prev, event.total)
        links = (*links, *_NO_LINKS, event.key or None) if event.kind is EventKind.ACCEPTED else (*_NO_LINKS, *links)
        return cls(
            order.id, order.item, order.epoch, order.seq, order.buyer, order.quantity, state, event.no,
            order.accepted_at_ms, order.due_at_ms, event.reason, event.at_ms, *links,
        )  # fmt: skip

    def joined(self, other: Row) -> Row:
        """What this and another row of the same order know together; ``self`` if the other knows nothing more."""
        later, earlier = (other, self) if other.event_no > self.event_no else (self, other)
        if later.accepted_chain is None and earlier.accepted_chain is not None:
            return later._replace(
                accepted_chain=earlier.accepted_chain,
                accepted_prev=earlier.accepted_prev,
                accepted_total=earlier.accepted_total,
                idempotency_key=earlier.idempotency_key,
            )
        return later

    @property
    def order(self) -> Order:
        return Order(
            id=self.order_id,
            item=self.item,
            epoch=self.epoch,
            seq=self.seq,
            buyer=self.buyer,
            quantity=self.quantity,
            state=State(self.state),
            accepted_at_ms=self.accepted_at_ms,
            due_at_ms=self.due_at_ms,
        )

    @property
    def is_plain(self) -> bool:
        """Whether it is just what reserve.lua's event says."""
        return (self.state, self.event_no, self.reason, self.updated_at_ms) == ("held", 1, "", self.accepted_at_ms)

    @property
    def identity(self) -> tuple[object, ...]:
        """What no event may change."""
        return self[:6]


@dataclass(slots=True)
class Units:
    """What a batch does to one item's row."""

    total: int = 0
    held: int = 0
    paid: int = 0
    events: int = 0
    """The highest number in the item's chain of events."""

    def count(self, row: Row, sign: int) -> None:
        if row.state == State.HELD:
            self.held += sign * row.quantity
        elif row.state == State.PAID:
            self.paid += sign * row.quantity


@dataclass(slots=True)
class Changes:
    """What one batch changes; lists are sorted by order id."""

    inserts: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    completions: list[Row] = field(default_factory=list)
    """Rows whose ``accepted`` event came after the one that settled them."""
    items: defaultdict[tuple[str, int], Units] = field(default_factory=lambda: defaultdict(Units))
    """By item and epoch."""
    entered: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    """By state: the orders that entered it, as they stood then. Every new order entered ``held`` first."""
    changed: int = 0
    """Events that were not known before."""


def fold(events: Sequence[Event], known: Mapping[str, Row]) -> Changes:
    """Fold events into the known rows of their orders; raises ``Unwritable`` for one that can't be true or kept."""
    changes = Changes()
    for order_id, steps in sorted(_by_order(events).items()):
        _fold_order(changes, known.get(order_id), steps)
    return changes


def released(row: Row, state: State, at_ms: int) -> Changes:
    """What it changes if a held row enters a final state, though the event of that step was refused."""
    changes = Changes()
    after = row._replace(state=state.value, event_no=row.event_no + 1, reason=REFUNDED, updated_at_ms=at_ms)
    changes.updates.append(after)
    units = changes.items[row.item, row.epoch]
    units.count(row, -1)
    units.count(after, +1)
    return changes


def _by_order(events: Iterable[Event]) -> dict[str, list[Event]]:
    orders: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        refuse_unfit(event)
        orders[event.order.id].append(event)
    return orders


def _fold_order(changes: Changes, known: Row | None, steps: list[Event]) -> None:
    row = known
    units = changes.items[steps[0].order.item, known.epoch if known else steps[0].order.epoch]
    for event in sorted(steps, key=_NUMBER) if len(steps) > 1 else steps:
        after = Row.after(event)
        if known is not None and event.order.epoch < known.epoch:
            after = _of_successor(known, after)
        else:
            units.total = max(units.total, event.total)
            units.events = max(units.events, event.chain)
        row = _fold_event(changes, row, after)
    if row is None or row is known:
        return
    if known is None:
        changes.inserts.append(row)
        units.count(row, +1)
        return
    if row.event_no > known.event_no:
        changes.updates.append(row)
        units.count(row, +1)
        units.count(known, -1)
    if row.accepted_chain != known.accepted_chain:
        changes.completions.append(row)


def _of_successor(known: Row, event: Row) -> Row:
    """An event of the epoch that the order's present one took over. What came before that is known, or lost for good:
    the ledger was rebuilt without it."""
    if event.event_no > known.event_no:
        raise Unwritable(
            "database",
            f"step {event.event_no} ({event.state}) of order {event.order_id} happened in epoch {event.epoch}, and "
            f"came after a rebuild had made epoch {known.epoch} of it without that step",
        )
    return event._replace(epoch=known.epoch)


def _fold_event(changes: Changes, row: Row | None, event: Row) -> Row:
    if row is None:
        _enter(changes, None, event)
        changes.changed += 1
        return event
    _refuse_contradiction(row, event)
    if event.event_no > row.event_no:
        _enter(changes, row, event)
    joined = row.joined(event)
    changes.changed += joined is not row
    return joined


def _enter(changes: Changes, before: Row | None, after: Row) -> None:
    if before is None:
        changes.entered[State.HELD].append(after._replace(state=State.HELD.value, reason=""))
    if after.state not in (State.HELD, before.state if before else None):
        changes.entered[after.state].append(after)


def _refuse_contradiction(known: Row, event: Row) -> None:
    if known.identity != event.identity:
        raise Unwritable("database", f"order {event.order_id} is known with another item, number, buyer or quantity")
    if known.event_no == event.event_no and known.state != event.state:
        raise Unwritable(
            "database", f"step {event.event_no} of order {event.order_id} is known as {known.state}, not {event.state}"
        )


def refuse_unfit(event: Event) -> None:
    """Raise ``Unwritable`` for what is no step of an order, and for text that a column can't hold whole.

    The databases alone don't see to it: MySQL cuts trailing spaces in silence, SQLite counts up to the first NUL.
    """
    if event.kind is EventKind.LATE_PAYMENT:
        raise Unwritable("database", f"the late payment of order {event.order.id} changes no row: it is to be parked")
    buyer, reason = event.order.buyer, event.reason
    if len(buyer) > BUYER_CHARACTERS:
        raise Unwritable(
            "database",
            f"the buyer of order {event.order.id} has {len(buyer)} characters, the column holds {BUYER_CHARACTERS}",
        )
    try:
        buyer.encode()
        if len(reason.encode()) > REASON_BYTES:
            raise Unwritable("database", f"the reason of order {event.order.id} is longer than {REASON_BYTES} bytes")
    except UnicodeEncodeError as error:
        raise Unwritable("database", f"order {event.order.id} has text that is no Unicode: {error.reason}") from error
