"""The words of the design as types: item, purchase, verdict, order, event. No I/O.

Times in records are milliseconds since 1970-01-01 UTC (``…_ms``), as Redis and the messages carry
them; durations in Python are seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from seckill_sidecar.errors import BadMessage

SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What an item's SKU looks like. Used with ``fullmatch``; safe in a URL, a file name and a hash tag."""

ORDER_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})~[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
"""What an order id looks like; group 1 is the SKU of its item."""

MESSAGE_VERSION = 1


class Verdict(StrEnum):
    """What the gate decided about one purchase."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    SOLD_OUT = "sold_out"
    LIMIT_REACHED = "limit_reached"
    NOT_OPEN = "not_open"
    CLOSED = "closed"
    UNKNOWN_ITEM = "unknown_item"
    RATE_LIMITED = "rate_limited"
    UNIDENTIFIED = "unidentified"
    INVALID = "invalid"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class State(StrEnum):
    """Where an order stands. ``held`` is the only live one."""

    HELD = "held"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class EventKind(StrEnum):
    """What happened to an order."""

    ACCEPTED = "accepted"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LATE_PAYMENT = "late_payment"
    """Paid after it had expired or was cancelled: nothing changes, somebody has to see to it."""

    @property
    def state(self) -> State:
        """The state that it leads to. A late payment leads nowhere: such an event says where its order stands."""
        return _LEADS_TO[self]


_LEADS_TO = {
    EventKind.ACCEPTED: State.HELD,
    EventKind.PAID: State.PAID,
    EventKind.CANCELLED: State.CANCELLED,
    EventKind.EXPIRED: State.EXPIRED,
    EventKind.LATE_PAYMENT: State.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One SKU as it is put on sale."""

    sku: str
    total: int
    opens_at_ms: int = 0
    """From when it sells; 0 is "already"."""
    closes_at_ms: int = 0
    """From when it no longer sells; 0 is "never"."""
    per_buyer: int = 1
    """Units that one buyer may hold or have paid."""
    hold_ms: int = 900_000
    """How long an unpaid hold lives."""


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item as the ledger holds it at one moment. total = free + held + paid."""

    sku: str
    total: int
    free: int
    held: int
    paid: int
    opens_at_ms: int
    closes_at_ms: int
    per_buyer: int
    hold_ms: int
    epoch: int
    seq: int
    status: str
    """``open`` (its window decides), ``closed`` by command, or ``paused`` by an alarm."""
    chain: int = 0
    """Events of the epoch so far."""
    digest: str = ""
    """Of the last of them."""

    @property
    def balanced(self) -> bool:
        return self.total == self.free + self.held + self.paid and self.free >= 0


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: ``burst`` at once, refilled at ``count`` every ``per`` seconds."""

    count: int
    per: float
    burst: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One parsed purchase request."""

    order_id: str
    """The id that the order gets if it is accepted; asking again with it changes nothing."""
    item: str
    buyer: str
    quantity: int
    key: str | None = None
    """The client's idempotency key."""
    address: str = ""
    """The client's address as the rate limit counts it (an IPv6 one as its /64)."""
    traceparent: str = ""
    hold_ms: int | None = None
    """How long the hold lives if the route says so; the item's own otherwise."""

    @property
    def fingerprint(self) -> str:
        """What an idempotency key is bound to: the same key with another one is a conflict."""
        return f"{self.item} {self.quantity}"


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted purchase as it stands."""

    id: str
    item: str
    epoch: int
    seq: int
    buyer: str
    quantity: int
    state: State
    accepted_at_ms: int
    due_at_ms: int
    """When an unpaid hold expires."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an order, as the outbox and the broker carry it. Self-contained: it holds the whole order.

    ``no`` counts the steps of one order from 1, so a late or repeated event is seen as such.
    ``total`` is the item's total when it happened, for the database's own bound.
    """

    kind: EventKind
    no: int
    order: Order
    total: int
    at_ms: int
    reason: str = ""
    traceparent: str = ""
    chain: int = 0
    """Its number among all events of the item and epoch, from 1."""
    prev: str = ""
    """Digest of the event before it in that chain, 40 hex digits."""
    key: str = ""
    """The purchase's idempotency key, with its ``accepted`` event alone; no part of the digest."""

    @property
    def message_id(self) -> str:
        """Unique for an order's step, the same however often it is sent."""
        return f"{self.order.id}:{self.no}"

    @property
    def digest(self) -> str:
        """The event's own digest, as reserve.lua and settle.lua make it: SHA-1, which is what Redis has."""
        order = self.order
        fields = (
            self.prev, self.kind.value, self.no, order.id, order.epoch, order.seq, order.buyer, order.quantity,
            order.accepted_at_ms, order.due_at_ms, self.total, self.at_ms, self.reason, self.chain,
        )  # fmt: skip
        encoded = (str(value).encode() for value in fields)
        text = b",".join(b"%d:%s" % (len(value), value) for value in encoded)
        return hashlib.sha1(text, usedforsecurity=False).hexdigest()

    def encode(self) -> bytes:
        """The message's body: flat JSON, UTF-8."""
        order = asdict(self.order)
        if self.kind is not EventKind.LATE_PAYMENT:
            order.pop("state")
        fields: dict[str, Any] = {
            "v": MESSAGE_VERSION,
            "event": self.kind.value,
            "no": self.no,
            **order,
            "total": self.total,
            "at_ms": self.at_ms,
            "reason": self.reason,
            "traceparent": self.traceparent,
            "chain": self.chain,
            "prev": self.prev,
        }
        if self.key:
            fields["key"] = self.key
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, body: bytes) -> Event:
        """Read a message's body; raises ``BadMessage`` that says what is wrong with it."""
        try:
            fields = json.loads(body.decode())
        except (ValueError, RecursionError) as error:
            raise BadMessage(f"not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise BadMessage("not a JSON object")
        if fields.get("v") != MESSAGE_VERSION or type(fields["v"]) is not int:
            raise BadMessage(f"schema version {fields.get('v')!r}, this program reads {MESSAGE_VERSION}")
        return cls(
            kind=(kind := _kind(fields)),
            no=_number(fields, "no", 1),
            order=_order(fields, kind),
            total=_number(fields, "total", 0),
            at_ms=_number(fields, "at_ms", 0),
            reason=_text(fields, "reason", ""),
            traceparent=_text(fields, "traceparent", ""),
            chain=_number(fields, "chain", 0) if "chain" in fields else 0,
            prev=_text(fields, "prev", ""),
            key=_text(fields, "key", ""),
        )


def _order(fields: dict[str, Any], kind: EventKind) -> Order:
    order_id = _text(fields, "id")
    match = ORDER_ID.fullmatch(order_id)
    if match is None or match[1] != _text(fields, "item"):
        raise BadMessage(f"id {order_id[:100]!r} is no order id of item {fields.get('item')!r}")
    return Order(
        id=order_id,
        item=match[1],
        epoch=_number(fields, "epoch", 1),
        seq=_number(fields, "seq", 1),
        buyer=_text(fields, "buyer"),
        quantity=_number(fields, "quantity", 1),
        state=kind.state if kind is not EventKind.LATE_PAYMENT else _state(fields),
        accepted_at_ms=_number(fields, "accepted_at_ms", 0),
        due_at_ms=_number(fields, "due_at_ms", 0),
    )


def _kind(fields: dict[str, Any]) -> EventKind:
    try:
        return EventKind(str(fields.get("event")))
    except ValueError as error:
        raise BadMessage(f"unknown event {fields.get('event')!r}") from error


def _state(fields: dict[str, Any]) -> State:
    try:
        return State(_text(fields, "state"))
    except ValueError as error:
        raise BadMessage(f"unknown state {fields.get('state')!r}") from error


def _number(fields: dict[str, Any], name: str, least: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not least <= value < 1 << 53:
        raise BadMessage(f"{name} is {value!r}, expected a whole number from {least}")
    return value


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadMessage(f"{name} is {value!r}, expected text")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half a surrogate pair: JSON can spell it, no store can keep it
        raise BadMessage(f"{name} is {value!r}, which is no text: {error.reason}") from error
    return value


@dataclass(frozen=True, slots=True)
class Decision:
    """What the ledger answered to one ``reserve``."""

    verdict: Verdict
    order: Order | None = None
    """The order, if the verdict is ``accepted`` or ``replayed``."""
    outbox_id: str = ""
    """The event's place in the outbox, to be removed once it was handed off."""
    body: bytes = b""
    """The event as the outbox holds it, ready to be published."""
    retry_after: float = 0.0
    """Seconds after which asking again may help (``rate_limited``, ``not_open``, ``unavailable``)."""
    available: int = 0
    """Units left, for ``sold_out``: more than 0 if the buyer asked for more than are left."""
    scope: str = ""
    """What limited the rate: ``buyer`` or ``address``."""
    reason: str = ""
    """Why it is unavailable, for the log."""
    chain: int = 0
    """The number of the order's event in the item's chain."""


class Settlement(StrEnum):
    """What became of a wish to settle an order."""

    SETTLED = "settled"
    ALREADY = "already"
    """It stood in that state before; nothing was changed."""
    REFUSED = "refused"
    """It stands in another final state, which won."""
    LATE = "late"
    """It was to be paid, but had expired or was cancelled before; that is recorded for somebody to see to."""
    UNKNOWN_ORDER = "unknown_order"


@dataclass(frozen=True, slots=True)
class Settled:
    """What the ledger answered to one ``settle``."""

    outcome: Settlement
    order: Order | None = None
    outbox_id: str = ""
    body: bytes = b""
    chain: int = 0


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One event that RabbitMQ has not confirmed yet."""

    item: str
    id: str
    """Its place: a Redis stream id, ``<ms>-<n>``."""
    body: bytes


def restated(order: Order, state: State) -> Order:
    """The same order in another state."""
    return replace(order, state=state)
