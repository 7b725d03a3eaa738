"""The relay: hands off what a crash or a broker outage left in the outbox, and expires holds whose time is over.

It may be one of many: delivering twice and expiring twice change nothing.

    outbox > 2 s old > broker, confirmed > removed from the outbox
    due    > settle(expired)             > the units are on sale again
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from seckill_sidecar import faults
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BadMessage, LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.gate.hand_off import HandedOff, HandOffObserver
from seckill_sidecar.model import Event, OutboxEntry, Settlement, State
from seckill_sidecar.ports import Breaker, Broker, Delivery, Ledger
from seckill_sidecar.settings.schema import RelaySettings

_log = logging.getLogger(__name__)
_ROUND_SECONDS = 10.0
_CONFIRM_SECONDS = 5.0
_AT_ONCE = 64
_LONGEST_PAUSE = 5.0


class Relay:
    """Delivers leftovers to the broker."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        breaker: Breaker,
        settings: RelaySettings,
        clock: Clock,
        observers: Sequence[HandOffObserver] = (),
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._breaker = breaker
        self._settings = settings
        self._clock = clock
        self._observers = tuple(observers)
        # A confirm takes a round trip and a disk write: many on their way at once share both.
        self._publishers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="relay")

    def step(self) -> int:
        """One round over all items; how many events were delivered. Raises ``StoreError`` of the ledger."""
        return sum(_item_by_item("outbox", self._ledger.items(self._round()), self._deliver))

    def close(self) -> None:
        """Wait for what is on its way."""
        self._publishers.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, item: str) -> int:
        entries = self._ledger.outbox(item, self._settings.after, self._settings.batch, self._round())
        confirmed = [entry.id for entry, done in zip(entries, self._publish(entries), strict=True) if done]
        self._ledger.handed_off(item, confirmed, self._round())
        return len(confirmed)

    def _publish(self, entries: Sequence[OutboxEntry]) -> Iterable[bool]:
        return self._publishers.map(self._publish_one, entries)

    def _publish_one(self, entry: OutboxEntry) -> bool:
        event: Event | None = None
        try:
            event = Event.decode(entry.body)
        except BadMessage as error:
            # The writer parks what it can't read; dropping it here would lose it.
            _log.error("outbox entry %s of %s is unreadable, handed on to be parked: %s", entry.id, entry.item, error)
            message_id, traceparent = f"{entry.item}:{entry.id}", ""
        else:
            message_id, traceparent = event.message_id, event.traceparent
        began = self._clock.wall()
        try:
            with self._breaker.calling():
                faults.hit("before_publish")
                self._broker.publish(message_id, entry.body, Deadline.after(_CONFIRM_SECONDS, self._clock), traceparent)
                faults.hit("after_publish")
        except StoreError as error:
            _log.debug("outbox entry %s of %s stays: %s", entry.id, entry.item, error)
            return False
        if event is not None:
            self._tell(HandedOff("relay", event.kind, event.order, began, self._clock.wall(), traceparent))
        return True

    def _tell(self, fact: HandedOff) -> None:
        for observer in self._observers:
            observer(fact)

    def _round(self) -> Deadline:
        return Deadline.after(_ROUND_SECONDS, self._clock)


class Expirer:
    """Gives the units of unpaid holds back when their time is over."""

    def __init__(self, ledger: Ledger, settings: RelaySettings, clock: Clock) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock = clock

    def step(self) -> int:
        """One round over all items; how many holds expired. Raises ``StoreError``."""
        return sum(_item_by_item("holds", self._ledger.items(self._round()), self._expire))

    def _expire(self, item: str) -> int:
        expired = 0
        for order_id in self._ledger.due(item, self._settings.batch, self._round()):
            expired += self._expire_one(item, order_id)
        return expired

    def _expire_one(self, item: str, order_id: str) -> bool:
        """One damaged order must not keep the others' units off sale."""
        faults.hit("before_settle")
        try:
            settled = self._ledger.settle(order_id, State.EXPIRED, "not paid in time", self._round())
        except (LedgerUntrusted, UsageError) as error:
            _log.error("hold %s of %s can't expire: %s", order_id[:200], item, error)
            return False
        faults.hit("after_settle")
        return settled.outcome is Settlement.SETTLED

    def _round(self) -> Deadline:
        return Deadline.after(_ROUND_SECONDS, self._clock)


def _item_by_item(what: str, items: Iterable[str], work: Callable[[str], int]) -> Iterable[int]:
    """One item's damaged key must not keep the others waiting."""
    for item in items:
        try:
            yield work(item)
        except LedgerUntrusted as error:
            _log.error("%s of %s can't be worked on: %s", what, item, error)


class OutboxConsumer:
    """The outbox as ``ports.Consumer``: with ``broker: none`` the writer reads it directly.

    Entries stay where they are until they are acknowledged, so nothing has to be given back.
    """

    def __init__(self, ledger: Ledger, clock: Clock, only: str = "") -> None:
        """``only`` is the SKU of the one item to receive of; all by default."""
        self._ledger = ledger
        self._clock = clock
        self._only = only
        self._tags = count(1)
        self._in_hand: dict[int, OutboxEntry] = {}
        """By tag: received and not yet answered to. The writer may keep some while it receives others."""

    def receive(self, most: int, linger: float) -> list[Delivery]:
        """Up to ``most`` events, the oldest of each item first; waits ``linger`` seconds once if there are none."""
        found = self._look(most)
        if not found:
            self._clock.sleep(linger)
            found = self._look(most)
        received = dict(zip(self._tags, found, strict=False))
        self._in_hand |= received
        return [Delivery(tag=tag, body=entry.body, message_id=entry.id) for tag, entry in received.items()]

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """They are in the database, or parked there."""
        by_item: dict[str, list[str]] = {}
        for delivery in deliveries:
            entry = self._in_hand.pop(delivery.tag)
            by_item.setdefault(entry.item, []).append(entry.id)
        for item, ids in by_item.items():
            self._ledger.handed_off(item, ids, self._round())

    def reject(self, delivery: Delivery, reason: str) -> None:
        """There is no parked queue here: the entry stays in the outbox, and the log says so."""
        entry = self._in_hand[delivery.tag]  # and stays there, so that it does not come again before a restart
        _log.error("outbox entry %s of %s can't even be parked and stays where it is: %s", entry.id, entry.item, reason)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """They never left the outbox."""
        for delivery in deliveries:
            del self._in_hand[delivery.tag]

    def close(self) -> None:
        """Nothing to give back."""

    def _look(self, most: int) -> list[OutboxEntry]:
        found: list[OutboxEntry] = []
        for item in [self._only] if self._only else self._ledger.items(self._round()):
            if len(found) < most:
                found += self._look_at(item, most - len(found))
        return found

    def _look_at(self, item: str, most: int) -> list[OutboxEntry]:
        known = {entry.id for entry in self._in_hand.values() if entry.item == item}
        entries = self._ledger.outbox(item, 0, most + len(known), self._round())
        return [entry for entry in entries if entry.id not in known]

    def _round(self) -> Deadline:
        return Deadline.after(_ROUND_SECONDS, self._clock)


def repeat(
    name: str,
    step: Callable[[], int],
    every: float,
    stop: threading.Event,
    on_round: Callable[[], None] = lambda: None,
) -> None:
    """Call ``step`` until ``stop``: at once again after work, after ``every`` seconds without any.

    ``on_round`` is called before each step.

    After a failure it waits longer and longer, five seconds at most: what waited for a store goes on soon after it is
    back. An error that nobody foresaw stops the whole process, so that it is started again: half a relay would look
    alive.
    """
    pause = every
    while not stop.is_set():
        on_round()
        try:
            if step() > 0:
                continue
            pause = every
        except StoreError as error:
            pause = min(2 * pause, max(every, _LONGEST_PAUSE))
            _log.warning("%s: %s; next try in %.1f s", name, error, pause)
        except Exception:
            stop.set()
            raise
        stop.wait(pause)
