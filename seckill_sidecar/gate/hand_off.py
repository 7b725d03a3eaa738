"""Move an accepted order from the outbox to RabbitMQ, confirmed; or leave it to the relay; or give it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from seckill_sidecar import faults
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Decision, Event, EventKind, Order, Settled, State, Verdict
from seckill_sidecar.ports import Breaker, Broker, Ledger
from seckill_sidecar.wire.answers import Refusal

Report = Callable[[str, StoreError], None]
"""Told what was left undone, and why."""


@dataclass(frozen=True, slots=True)
class HandedOff:
    """The fact that observers are told: RabbitMQ has confirmed an event. Moments are Unix seconds."""

    by: Literal["gate", "relay"]
    kind: EventKind
    order: Order
    began: float
    ended: float
    traceparent: str = ""

    @property
    def lag(self) -> float:
        """Seconds from the order's acceptance, which the ledger's clock tells, to the confirm."""
        return max(0.0, self.ended - self.order.accepted_at_ms / 1000)


HandOffObserver = Callable[[HandedOff], None]


class HandOff:
    """The stage after the point of no return: the order exists, and every answer has to say so."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker | None,
        breaker: Breaker,
        on_broker_down: Literal["keep", "refuse"],
        report: Report,
        observers: Sequence[HandOffObserver] = (),
    ) -> None:
        """Without a broker the relay takes the outbox straight to the database."""
        self._ledger = ledger
        self._broker = broker
        self._breaker = breaker
        self._on_broker_down = on_broker_down
        self._report = report
        self._observers = tuple(observers)

    def deliver(self, decision: Decision, deadline: Deadline, traceparent: str = "") -> None:
        """Return once RabbitMQ has the order, or the outbox keeps it for the relay.

        Raises ``Refusal`` (503) if the policy is to give the units back instead.
        """
        order = decision.order
        # A replayed order has no body to publish: it was handed off before, or the outbox still keeps it.
        if order is None or self._broker is None or not decision.body:
            return
        began = deadline.clock.wall()
        try:
            with self._breaker.calling():
                faults.hit("before_publish")
                self._broker.publish(f"{order.id}:1", decision.body, deadline, traceparent)
                faults.hit("after_publish")
        except StoreError as error:
            self._report("order left in the outbox, the relay will deliver it", error)
            if self._on_broker_down == "refuse":
                self.release(order, "broker down", deadline)
            return
        fact = HandedOff("gate", EventKind.ACCEPTED, order, began, deadline.clock.wall(), traceparent)
        for observer in self._observers:
            observer(fact)
        self._clear(order, decision.outbox_id, deadline)

    def deliver_settled(self, settled: Settled, deadline: Deadline) -> None:
        """The same for the event of a settled order, whatever the policy: it is never taken back."""
        if settled.order is None or self._broker is None or not settled.body:
            return
        try:
            with self._breaker.calling():
                self._broker.publish(Event.decode(settled.body).message_id, settled.body, deadline)
        except StoreError as error:
            self._report("event left in the outbox, the relay will deliver it", error)
            return
        self._clear(settled.order, settled.outbox_id, deadline)

    def release(self, order: Order, reason: str, deadline: Deadline) -> None:
        """Cancel the order and say so by a ``Refusal``; if even that is unknown, the refusal names the order."""
        try:
            faults.hit("before_settle")
            settled = self._ledger.settle(order.id, State.CANCELLED, reason, _at_least_a_moment(deadline))
            faults.hit("after_settle")
        except StoreError as error:
            self._report("could not give the units back; the order stands until its hold expires", error)
            raise unknown_outcome(order.id, error) from error
        if settled.order is not None and settled.order.state is State.PAID:
            return  # meanwhile: it stands
        raise Refusal(
            Verdict.UNAVAILABLE,
            "the shop can't take orders at this moment; nothing was bought",
            retry_after=2,
            reason=reason,
        )

    def _clear(self, order: Order, outbox_id: str, deadline: Deadline) -> None:
        """Confirmed, so it need not stay in the outbox. If this fails, the relay delivers it once more: no harm."""
        if not outbox_id:
            return
        try:
            self._ledger.note_handed_off(order.item, outbox_id, _at_least_a_moment(deadline), self._left)
        except StoreError as error:
            self._left(error)

    def _left(self, error: StoreError) -> None:
        self._report("order confirmed, but still in the outbox", error)


def unknown_outcome(order_id: str, cause: Exception) -> Refusal:
    """The truthful answer when nobody knows yet whether the order exists: its id, to ask again."""
    return Refusal(
        Verdict.UNAVAILABLE,
        "it is not known yet whether this purchase went through; ask again for the order named here",
        retry_after=1,
        order_id=order_id,
        reason=f"outcome unknown: {cause}",
    )


def _at_least_a_moment(deadline: Deadline) -> Deadline:
    """Clearing up after the request's own time gets half a second more: it spares doubt and double work."""
    return Deadline(max(deadline.at, deadline.clock.monotonic() + 0.5), deadline.clock)
