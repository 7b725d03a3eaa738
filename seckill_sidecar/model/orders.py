"""What is bought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from seckill_sidecar.model.words import State


class Admission(NamedTuple):
    """Somebody's leave to buy one item, once; see ``wire/admissions.py``."""

    buyer: str
    item: str
    nonce: str
    """Tells it from every other one."""
    until_ms: int
    """When it ends."""


class Purchase(NamedTuple):
    """One parsed purchase request. A tuple, made faster than a frozen dataclass: each loser makes one."""

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
    admission: Admission | None = None
    """What is used up if this becomes an order, where the route asks for one."""

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


def restated(order: Order, state: State) -> Order:
    """The same order in another state."""
    return replace(order, state=state)
