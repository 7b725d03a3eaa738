"""What happens to an order, as the outbox and the broker carry it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from seckill_sidecar.errors import BadMessage
from seckill_sidecar.model.orders import Order
from seckill_sidecar.model.words import ORDER_ID, EventKind, State

MESSAGE_VERSION = 1


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
