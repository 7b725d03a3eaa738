"""Words for tests of the writer: a queue that keeps the consumer's contract, and stores that can be told to fail."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from seckill_sidecar.errors import StoreDown
from seckill_sidecar.model import Event
from seckill_sidecar.ports import Delivery, OrdersDb, Parked, Written


class ListQueue:
    """``ports.Consumer`` on a list. Remembers the answers; ``lose_connection`` gives back all that is unanswered."""

    def __init__(self) -> None:
        self.ready: deque[tuple[bytes, str]] = deque()
        self.unanswered: dict[int, tuple[bytes, str]] = {}
        self.acks: list[int] = []
        """How many messages each ack answered."""
        self.rejected: list[str] = []
        self._tags = count(1)
        self._stale: set[int] = set()

    def put(self, *events: Event) -> None:
        self.ready.extend((event.encode(), event.message_id) for event in events)

    def put_body(self, body: bytes, message_id: str) -> None:
        self.ready.append((body, message_id))

    def lose_connection(self) -> None:
        self.ready.extendleft(reversed(self.unanswered.values()))
        self._stale |= self.unanswered.keys()
        self.unanswered.clear()

    @property
    def empty(self) -> bool:
        return not self.ready and not self.unanswered

    def receive(self, most: int, linger: float) -> list[Delivery]:
        received = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        tagged = dict(zip(self._tags, received, strict=False)) if received else {}
        self.unanswered |= tagged
        return [Delivery(tag, body, message_id) for tag, (body, message_id) in tagged.items()]

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        self.acks.append(len(self._answer(deliveries)))

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._answer([delivery])
        self.rejected.append(delivery.message_id)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        self.ready.extendleft(reversed(self._answer(deliveries)))

    def close(self) -> None:
        """Nothing to close."""

    def _answer(self, deliveries: Iterable[Delivery]) -> list[tuple[bytes, str]]:
        tags = [delivery.tag for delivery in deliveries]
        if self._stale.intersection(tags):
            raise StoreDown("broker", "the connection of these deliveries was lost")
        return [self.unanswered.pop(tag) for tag in tags]


class Failing:
    """A real orders database before which failures can be lined up: each is raised instead of, or after, one call."""

    def __init__(self, orders: OrdersDb) -> None:
        self._orders = orders
        self.before: deque[Exception] = deque()
        self.after: deque[Exception] = deque()
        self.refuses_parking: Exception | None = None
        self.writes: list[int] = []
        """How many events each write was given."""

    def write(self, events: Sequence[Event]) -> Written:
        self.writes.append(len(events))
        if self.before:
            raise self.before.popleft()
        written = self._orders.write(events)
        if self.after:
            raise self.after.popleft()
        return written

    def park(self, parked: Parked) -> None:
        if self.refuses_parking is not None:
            raise self.refuses_parking
        self._orders.park(parked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._orders, name)


class Door:
    """``ports.Breaker`` that lets everything through, or raises what it is told to."""

    state = "closed"

    def __init__(self) -> None:
        self.shut: Exception | None = None

    @contextmanager
    def calling(self) -> Iterator[None]:
        if self.shut is not None:
            raise self.shut
        yield


class StopAfter(threading.Event):
    """A stop signal that notes the pauses instead of waiting, and is set when the last wanted pause has come."""

    def __init__(self, pauses: int = 1, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._wanted = pauses
        self._then = then

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) == self._wanted:
            self._then()
            self.set()
        return self.is_set()


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'orders.db'}"
