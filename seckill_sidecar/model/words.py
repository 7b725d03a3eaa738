"""The words of a purchase that are one of a few: what was decided, where an order stands, what happened to it."""

from __future__ import annotations

import re
from enum import StrEnum

SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What an item's SKU looks like. Used with ``fullmatch``; safe in a URL, a file name and a hash tag."""

ORDER_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})~[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
"""What an order id looks like; group 1 is the SKU of its item."""


class Verdict(StrEnum):
    """What the gate decided about one purchase."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    SOLD_OUT = "sold_out"
    LIMIT_REACHED = "limit_reached"
    NOT_ELIGIBLE = "not_eligible"
    NOT_OPEN = "not_open"
    CLOSED = "closed"
    UNKNOWN_ITEM = "unknown_item"
    RATE_LIMITED = "rate_limited"
    UNIDENTIFIED = "unidentified"
    NOT_ADMITTED = "not_admitted"
    CHALLENGED = "challenged"
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
