"""What is asked of the broker, by those who send and those who receive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from seckill_sidecar.clock import Deadline


class Broker(Protocol):
    """Where accepted orders are handed off to."""

    def publish(self, message_id: str, body: bytes, deadline: Deadline, traceparent: str = "") -> None:
        """Return once the broker has confirmed the message as routed and stored."""

    def close(self) -> None:
        """Finish what is under way, within a bound, and disconnect."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message received from the orders queue and not yet acknowledged."""

    tag: int
    body: bytes
    message_id: str = ""
    redelivered: bool = False
    traceparent: str = ""


class Consumer(Protocol):
    """The receiving side of the broker; used by one thread."""

    def receive(self, most: int, linger: float) -> list[Delivery]:
        """Up to ``most`` deliveries: waits up to ``linger`` seconds for the first and as long for the rest.

        What was received and not answered to does not come again while the connection lasts, and tags are never reused.
        """

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """They are in the database (or parked there)."""

    def reject(self, delivery: Delivery, reason: str) -> None:
        """To the parked queue, by the dead-letter exchange."""

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Back to the queue, untouched."""

    def close(self) -> None:
        """Give unacknowledged deliveries back and disconnect."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of the broker's at one moment."""

    messages: int
    """Ready to be delivered. What consumers have in hand is not among them."""
    consumers: int
