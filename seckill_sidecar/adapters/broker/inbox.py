"""The deliveries between the thread that receives them and the writer that settles them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any

from seckill_sidecar.adapters.broker.faults import STORE, Failure
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.ports import Delivery

Verb = Callable[[Any, int, bool], None]
"""An answer to deliveries: ``(channel, tag, multiple)``; with ``multiple``, to all up to the tag."""

Answer = Callable[[Verb, list[int], bool], None]
"""How a session takes answers: ``(verb, tags, whole)``; ``whole`` if no earlier tag is left open. From any thread."""


_MOST_ORPHANS = 50_000


class Inbox:
    """Holds what the current session has delivered; knows what of it is not settled yet.

        arrived ──► waiting ──take──► with the writer ──settle──► gone
                       └──lose──► orphans ──take (nothing else is waiting)──► with the writer

    Tags go on counting from one session to the next, so none ever means two deliveries: what belongs to a lost session
    is recognised by not being here. The broker's prefetch bounds it.

    A lost session's deliveries come again, unless their queue was deleted: then this process is the last that has
    them. So they are kept until they arrive again, and handed out when there is nothing else to do. Writing a message
    twice does no harm; losing it does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._answer: Answer | None = None
        self._failure: Failure | None = None
        self._waiting: deque[Delivery] = deque()
        self._unsettled: dict[int, None] = {}  # tags, ascending, as an ordered set
        self._orphans: dict[str, Delivery] = {}  # by message id
        self._orphan_tags: set[int] = set()  # of those that the writer has in hand
        self._last_tag = 0
        self._first_at = 0.0
        self._wanted = 1

    # -- called by the writer's thread --------------------------------------------------------------------

    def await_session(self, first_within: float, else_within: float) -> None:
        """Return when there is a session; raise ``StoreDown`` if there is none in time, or its first attempt fails."""
        with self._changed:
            if self._orphans and self._answer is None:
                return
            first = self._failure is None
            self._changed.wait_for(
                lambda: self._answer is not None or (first and self._failure is not None),
                first_within if first else else_within,
            )
            if self._answer is None:
                raise (self._failure or Failure(StoreDown, "no connection yet")).error()

    def take(self, most: int, linger: float) -> list[Delivery]:
        """Up to ``most``: waits ``linger`` seconds for the first, and as long after its arrival for the rest."""
        with self._changed:
            if self._await_waiting(1, linger):
                self._await_waiting(most, self._first_at + linger - self._clock.monotonic())
            if not self._waiting and self._orphans:
                return self._take_orphans(most)
            if self._failure is not None:
                raise self._failure.error()
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._first_at = self._clock.monotonic()  # of what is left: at the latest now
            return taken

    def settle(self, deliveries: Iterable[Delivery], verb: Verb) -> None:
        """Answer to these; raises ``StoreDown`` if some belong to a lost session, after answering to the others."""
        tags = {delivery.tag for delivery in deliveries}
        with self._changed:
            tags -= self._orphan_tags  # nobody is left to be answered
            ours = sorted(tag for tag in tags if tag in self._unsettled)
            whole = bool(ours) and ours == list(takewhile(lambda tag: tag <= ours[-1], self._unsettled))
            for tag in ours:
                del self._unsettled[tag]
            answer = self._answer
        if ours and answer is not None:
            answer(verb, ours, whole)
        if len(ours) < len(tags):
            raise StoreDown(STORE, f"the connection of {len(tags) - len(ours)} deliveries was lost; they come again")

    def holds(self, delivery: Delivery) -> bool:
        """Whether it is the current session's, and not settled."""
        with self._changed:
            return delivery.tag in self._unsettled

    def _take_orphans(self, most: int) -> list[Delivery]:
        taken = [self._orphans.pop(name) for name in list(self._orphans)[:most]]
        self._orphan_tags = {delivery.tag for delivery in taken}
        return taken

    def _await_waiting(self, count: int, within: float) -> bool:
        self._wanted = count
        self._changed.wait_for(lambda: len(self._waiting) >= count or self._failure is not None, max(0.0, within))
        return bool(self._waiting)

    # -- called by the thread that owns the connection ----------------------------------------------------

    def open(self, answer: Answer) -> int:
        """A session begins to deliver. Returns what it adds to its own tags, which count from 1."""
        with self._changed:
            self._answer = answer
            self._failure = None
            self._changed.notify_all()
            return self._last_tag

    def arrived(self, delivery: Delivery) -> None:
        """Take in one delivery. Wakes the writer for the number that it waits for, not for each."""
        with self._changed:
            self._orphans.pop(delivery.message_id, None)
            self._last_tag = delivery.tag
            self._unsettled[delivery.tag] = None
            self._waiting.append(delivery)
            if len(self._waiting) == 1:
                self._first_at = self._clock.monotonic()
            if len(self._waiting) == self._wanted:
                self._changed.notify_all()

    def lose(self, failure: Failure) -> None:
        """The session is over: all that is not settled will be delivered again, by another, if its queue lives on."""
        with self._changed:
            self._answer = None
            self._failure = failure
            for delivery in self._waiting:
                if delivery.message_id and len(self._orphans) < _MOST_ORPHANS:
                    self._orphans[delivery.message_id] = delivery
            self._waiting.clear()
            self._unsettled.clear()
            self._changed.notify_all()
