"""The table of parked messages: kept with their reasons, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seckill_sidecar.adapters.orders_db.session import Dialect, Session, Statement
from seckill_sidecar.adapters.orders_db.transactions import Transactions
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import BadMessage
from seckill_sidecar.model import Event, EventKind
from seckill_sidecar.ports import Parked, ParkedState

_REASON_CHARACTERS = 2000
_AFTER_REFUND = "its order was refunded before this event came"


class Parking:
    """Parked messages of one database."""

    def __init__(
        self, transactions: Transactions, dialect: Dialect, queries: Mapping[str, Statement], clock: Clock
    ) -> None:
        self._transactions = transactions
        self._dialect = dialect
        self._queries = queries
        self._clock = clock

    # -- one transaction each -------------------------------------------------------------------------

    def park(self, parked: Parked) -> None:
        """Keep a message, the same message and body only once."""
        self._transactions.run(lambda session: self._park(session, parked))

    def all(self) -> Iterator[Parked]:
        """All of them in any state, oldest first, a page in memory at a time."""
        last = 0
        while page := self._transactions.page("parked_page", id=last):
            yield from map(_parked, page)
            last = page[-1][0]

    def counts(self) -> dict[ParkedState, int]:
        """How many are in each state."""
        found = {state: int(count) for state, count in self._transactions.find("parked_counts")}
        return {state: found.get(state.value, 0) for state in ParkedState}

    def one(self, number: int) -> Parked | None:
        """The one of this number, or None."""
        return next(map(_parked, self._transactions.find("parked_message", id=number)), None)

    def resolve(self, number: int, at_ms: int) -> None:
        """Mark one that waits as ``retried``."""
        row = {"id": number, "state": ParkedState.RETRIED.value, "at_ms": at_ms}
        self._transactions.run(lambda session: session.run(self._queries["resolve_parked"], [row]))

    def explain(self, number: int, reason: str) -> None:
        """Keep another reason."""
        row = {"id": number, "reason": _readable(reason)}
        self._transactions.run(lambda session: session.run(self._queries["explain_parked"], [row]))

    # -- within another transaction -------------------------------------------------------------------

    def without_refunded(self, session: Session, order_ids: Sequence[str], events: Sequence[Event]) -> Sequence[Event]:
        """Those events whose orders were not refunded. The others are kept as such, since they are links of the chain.

        Locks what is parked of these orders, so that a refund comes wholly before or wholly after the transaction.
        """
        refunded: set[str] = set()
        known: set[str] = set()
        for order_id, message_id, state, event in self.messages_of(session, order_ids):
            known.add(message_id)
            if _ends_its_order(state, event):
                refunded.add(order_id)
        if not refunded:
            return events
        at_ms = int(self._clock.wall() * 1000)
        for event in events:
            if event.order.id in refunded and event.message_id not in known:
                late = Parked(event.message_id, _AFTER_REFUND, event.encode(), at_ms)
                self._insert(session, late, event, ParkedState.REFUNDED)
        return [event for event in events if event.order.id not in refunded]

    def messages_of(self, session: Session, order_ids: Sequence[str]) -> list[tuple[Any, ...]]:
        """(order id, message id, state, event) of what is parked of these orders, locked."""
        return session.fetch(self._queries["parked_of_orders"], {"order_ids": self._dialect.many(order_ids)})

    def mark_refunded(self, session: Session, order_id: str, at_ms: int) -> None:
        """All that waits of an order."""
        session.run(self._queries["refund_parked"], [{"order_id": order_id, "at_ms": at_ms}])

    def _park(self, session: Session, parked: Parked) -> None:
        event, state = _event(parked.body), parked.state
        if event is not None:
            others = self.messages_of(session, [event.order.id])
            if any(_ends_its_order(other_state, kind) for _, _, other_state, kind in others):
                state = ParkedState.REFUNDED
        self._insert(session, parked, event, state)

    def _insert(self, session: Session, parked: Parked, event: Event | None, state: ParkedState) -> None:
        row = {
            "message_id": parked.message_id,
            "body_sha256": hashlib.sha256(parked.body).hexdigest(),
            "order_id": event and event.order.id,
            "item": event and event.order.item,
            "epoch": event and event.order.epoch,
            "chain": event and event.chain,
            "event": event and event.kind.value,
            "state": state.value,
            "reason": _readable(parked.reason),
            "body": parked.body,
            "at_ms": parked.at_ms,
            "resolved_at_ms": None if state.waits else parked.at_ms,
        }
        session.run(self._queries["park"], [row])


def _ends_its_order(state: str, event: str | None) -> bool:
    """Whether a parked message says that its order was refunded; a refunded late payment leaves the order as it is."""
    return state == ParkedState.REFUNDED and event != EventKind.LATE_PAYMENT


def _parked(row: Sequence[Any]) -> Parked:
    number, message_id, reason, body, at_ms, order_id, state, resolved_at_ms = row
    return Parked(message_id, reason, bytes(body), at_ms, order_id, ParkedState(state), resolved_at_ms, number)


def _event(body: bytes) -> Event | None:
    try:
        return Event.decode(body)
    except BadMessage:
        return None


def _readable(reason: str) -> str:
    return reason[:_REASON_CHARACTERS].encode(errors="backslashreplace").decode()
