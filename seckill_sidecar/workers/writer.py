"""The writer: takes events from the broker and writes them to the orders database, a batch in one transaction.

    receive ──► decode ──► write ──► acknowledge, after COMMIT
                   │         │
                   │         ├─ a row is at fault ──► halve, until the bad message stands alone ──► park ──► acknowledge
                   │         ├─ over the total ─────► wait a while for the event that frees units, else pause, park
                   │         └─ database down ──────► keep the batch, wait, write again
                   └─ unreadable, or a payment that came too late ──► park

What is neither written nor parked stays unacknowledged, so that nothing is lost by a crash at any point: the broker
delivers it again, and the fold of the database sees what it knows already.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seckill_sidecar import faults
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import (
    BadMessage,
    OverTotal,
    SchemaMismatch,
    SeckillError,
    StoreError,
    Unwritable,
    Violation,
)
from seckill_sidecar.model import Event, EventKind, State
from seckill_sidecar.ports import Breaker, Consumer, Delivery, OrdersDb, Parked, ParkedState
from seckill_sidecar.settings.schema import WriterSettings

LONGEST_PAUSE = 5.0
"""Seconds between two attempts at a store that is down, at most."""

PATIENCE = 60.0
"""Seconds for which an order over its item's total waits. Units that one order gives back are sold again at once, and
the two events may come by different ways: the later one first."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The fact that observers are told: these events are in the database. Moments are Unix seconds."""

    events: Sequence[Event]
    began: float
    ended: float

    def lag(self, event: Event) -> float:
        """Seconds from the order's acceptance, which the ledger's clock tells, to the COMMIT."""
        return max(0.0, self.ended - event.order.accepted_at_ms / 1000)


_LEAST_LINGER = 0.01
_LEAST_PAUSE = 0.1


@dataclass(slots=True)
class _Message:
    """One delivery in hand: with the event that it holds, or with the fault for which it is to be parked."""

    delivery: Delivery
    event: Event | None = None
    fault: str = ""
    state: ParkedState = ParkedState.PARKED
    """What it is to be parked as."""
    over_since: float | None = None
    """When it was first found over its item's total."""
    violated: str = ""
    """The item whose sale it shows to be false, until that was told."""

    @property
    def id(self) -> str:
        return self.event.message_id if self.event else self.delivery.message_id

    @property
    def order_id(self) -> str | None:
        return self.event.order.id if self.event else None


class Writer:
    """Writes what a consumer receives. For one thread; ``run`` ends when told to stop."""

    def __init__(
        self,
        consumer: Consumer,
        orders: OrdersDb,
        settings: WriterSettings,
        breaker: Breaker,
        clock: Clock,
        log: logging.Logger,
        on_violation: Callable[[str], None] | None = None,
        observers: Sequence[Callable[[Committed], None]] = (),
    ) -> None:
        """``on_violation`` is told the SKU of an item that was sold twice over, and may raise ``StoreError``."""
        self._consumer = consumer
        self._orders = orders
        self._settings = settings
        self._breaker = breaker
        self._clock = clock
        self._log = log
        self._on_violation = on_violation
        self._observers = tuple(observers)
        self._groups: list[list[_Message]] = []
        """A stack of what is in hand; each group goes into one transaction, or is one message to be parked."""
        self._waiting: list[_Message] = []
        self._ask_again_at = 0.0

    def run(self, stop: threading.Event, on_step: Callable[[], None] = lambda: None) -> None:
        """Step until told to stop, and give back what is then in hand. While a store is down, pause and try again.

        ``on_step`` is called before each step.
        """
        first = pause = max(self._settings.retry, _LEAST_PAUSE)
        try:
            while not stop.is_set():
                on_step()
                try:
                    self.step()
                    pause = first
                except StoreError as error:
                    self._lament(error, pause)
                    stop.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self.release()

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing in hand."""
        return not (self._groups or self._waiting)

    def step(self) -> int:
        """Receive one batch and find each message its place; return how many were written or parked.

        Raises ``StoreError`` if a store fails; the next step goes on with what this one left in hand.
        """
        if not self._groups:
            self._take_up_waiting()
            self._receive()
        done = 0
        while self._groups:
            done += self._deal_with(self._groups[-1])
        return done

    # -- receiving ------------------------------------------------------------------------------------

    def _receive(self) -> None:
        room = max(1, self._settings.batch - len(self._waiting))
        deliveries = self._consumer.receive(room, max(self._settings.linger, _LEAST_LINGER))
        messages = [_decode(delivery) for delivery in deliveries]
        self._groups += [[message] for message in messages if message.fault]
        if readable := [message for message in messages if not message.fault]:
            self._groups.append(readable)

    def _take_up_waiting(self) -> None:
        """Below what is received next on the stack: that may free the units."""
        now = self._clock.monotonic()
        if self._waiting and now >= self._ask_again_at:
            self._groups.append(self._waiting)
            self._waiting = []
            self._ask_again_at = now + self._settings.retry

    # -- writing and parking --------------------------------------------------------------------------

    def _deal_with(self, group: list[_Message]) -> int:
        """Write or park the topmost group. It leaves the stack when that is done, or when its parts take its place."""
        try:
            if group[0].fault:
                self._park(group[0])
            else:
                self._write(group)
        except Unwritable as error:
            self._groups.pop()
            self._take_apart(group, error)
            return 0
        self._groups.pop()
        return len(group)

    def _write(self, group: list[_Message]) -> None:
        events, began = [message.event for message in group if message.event], self._clock.wall()
        with self._breaker.calling():
            written = self._orders.write(events)
        committed = self._clock.wall()
        self._log.debug("wrote %d events, %d of them known already", len(group), written.repeated)
        self._tell_broker(lambda: self._consumer.ack([message.delivery for message in group]))
        fact = Committed(events, began, committed)
        for observer in self._observers:
            observer(fact)

    def _take_apart(self, group: list[_Message], error: Unwritable) -> None:
        if len(group) > 1:
            middle = len(group) // 2
            self._groups += [group[middle:], group[:middle]]
        elif isinstance(error, OverTotal) and self._may_wait(group[0]):
            self._waiting.append(group[0])
        else:
            group[0].fault = error.what
            if isinstance(error, Violation) and group[0].event is not None:
                group[0].violated = group[0].event.order.item
            self._groups.append(group)

    def _may_wait(self, message: _Message) -> bool:
        now = self._clock.monotonic()
        if message.over_since is None:
            message.over_since = now
            self._ask_again_at = max(self._ask_again_at, now + self._settings.retry)
        # Half of the consumer's window stays free for the events that may free units.
        return now - message.over_since < PATIENCE and len(self._waiting) < self._settings.batch // 2

    def _park(self, message: _Message) -> None:
        if message.violated:
            self._tell_violation(message)
        delivery = message.delivery
        parked = Parked(
            message.id, message.fault, delivery.body, int(self._clock.wall() * 1000), message.order_id, message.state
        )
        try:
            with self._breaker.calling():
                self._orders.park(parked)
        except Unwritable as error:
            self._log.error(
                "rejected %s to the parked queue: %s; the database did not take it either: %s; "
                "mend the cause, then publish it again from that queue",
                message.id, message.fault, error.what,
            )  # fmt: skip
            self._tell_broker(lambda: self._consumer.reject(delivery, message.fault))
            return
        self._log.error(
            "parked %s: %s; it stays in seckill_parked: mend the cause, then retry or refund it",
            message.id,
            message.fault,
        )
        self._tell_broker(lambda: self._consumer.ack([delivery]))

    def _tell_violation(self, message: _Message) -> None:
        """First of all, so that no more is sold; but a ledger that is down keeps nobody's order from being parked."""
        item, message.violated = message.violated, ""
        paused = "it is paused now"
        try:
            if self._on_violation is not None:
                self._on_violation(item)
        except SeckillError as error:
            paused = f"it could not be paused ({error}); do it now: seckill-sidecar item pause {item}"
        self._log.error(
            "more of %s was sold than there is: %s; %s. Find out which ledger sold (seckill-sidecar audit), "
            "retry or refund what is parked, then seckill-sidecar item open %s",
            item, message.fault, paused, item,
        )  # fmt: skip

    # -- when a store fails ---------------------------------------------------------------------------

    def _tell_broker(self, tell: Callable[[], None]) -> None:
        try:
            faults.hit("before_ack")
            tell()
            faults.hit("after_ack")
        except StoreError as error:
            self._log.warning("%s; what it was not told of will be delivered again, and be known then", error)

    def _lament(self, error: StoreError, pause: float) -> None:
        # An operator has to mend a schema; all else may heal by itself.
        level = logging.ERROR if isinstance(error, SchemaMismatch) else logging.WARNING
        in_hand = sum(map(len, self._groups))
        self._log.log(level, "%s; %d messages in hand, next attempt in %g s", error, in_hand, pause)

    def release(self) -> None:
        """Give back what is in hand."""
        in_hand = [message.delivery for group in [*self._groups, self._waiting] for message in group]
        self._groups, self._waiting = [], []
        if in_hand:
            self._tell_broker(lambda: self._consumer.release(in_hand))


def _decode(delivery: Delivery) -> _Message:
    try:
        event = Event.decode(delivery.body)
    except BadMessage as error:
        return _Message(delivery, fault=str(error))
    if event.kind is EventKind.LATE_PAYMENT:
        return _Message(delivery, event, _late(event), ParkedState.LATE_PAYMENT)
    return _Message(delivery, event)


def _late(event: Event) -> str:
    ended = "was cancelled" if event.order.state is State.CANCELLED else "had expired"
    return f"paid after it {ended}; refund it, or sell a unit by hand"
