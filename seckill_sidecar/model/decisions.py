"""What the ledger answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seckill_sidecar.model.orders import Order
from seckill_sidecar.model.words import Verdict


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
    """Whose limit or rate it was: ``buyer`` or ``address``."""
    reason: str = ""
    """Why it is unavailable, for the log; what is wrong with the admission (``used`` or ``expired``)."""
    chain: int = 0
    """The number of the order's event in the item's chain."""


@dataclass(frozen=True, slots=True)
class Admittance:
    """What the ledger answered to a wish for admission."""

    refusal: Decision | None = None
    until_ms: int = 0
    """When the admission ends, if it is not refused."""


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
