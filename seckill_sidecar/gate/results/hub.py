"""Everybody in this process who waits for an order: the stores are asked for all of them at once.

A waiter joins, looks by itself once, and then waits for its turn to hear more. Each source (database, ledger) has a
thread (under gevent a greenlet) that asks for all orders waited for, in chunks, and only while somebody waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import SeckillError, StoreError
from seckill_sidecar.gate.results.result import NOTHING, Result
from seckill_sidecar.model import Order

_log = logging.getLogger(__name__)
CHUNK = 500
"""Orders that a store is asked for at once."""
_MOST_OF_AN_ORDER = 16
"""Waiters for one order: whoever has its token could take all places otherwise."""
_SHARE = 4
"""A source pauses for at least so many times as long as it took, up to its longest pause."""


class Full(SeckillError):
    """There is no place for another waiter: ask again later instead."""


class Stopping(SeckillError):
    """This process is about to end: come back, and another one will answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """A store that can tell of many orders."""

    name: str
    ask: Callable[[Sequence[str]], Iterable[Order]]
    """Those orders of these ids (``CHUNK`` at most) that it has; raises ``StoreError``."""
    every: float
    """The pause between two rounds, in seconds."""
    longest: float
    """The same for a store that takes long to answer."""
    writes: bool
    """Whether an order is written if it has it."""


class Waiter:
    """One place, for one order. Leave it at the end, or with ``with``."""

    __slots__ = ("_hub", "event", "order_id")

    def __init__(self, hub: Hub, order_id: str) -> None:
        self._hub = hub
        self.order_id = order_id
        self.event = threading.Event()
        """Set when there may be more to know; others may set it to wake the waiter up."""

    def wait(self, seconds: float) -> Result:
        """What the stores have told since it joined, at once if that may have changed; raises ``Stopping``."""
        if self.event.wait(max(0.0, seconds)):
            self.event.clear()
        return self._hub.known(self.order_id)

    def leave(self) -> None:
        """Give the place back; doing it again does no harm."""
        self._hub.leave(self)

    def __enter__(self) -> Waiter:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


@dataclass(slots=True)
class _Entry:
    """One order that is waited for."""

    result: Result = NOTHING
    waiters: list[Waiter] = field(default_factory=list)


class Hub:
    """The waiters of one process; ``most`` of them at most."""

    def __init__(self, sources: Sequence[Source], most: int, clock: Clock) -> None:
        self._sources = tuple(sources)
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._running: set[str] = set()
        self._count = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Waiters at this moment."""
        return self._count

    def join(self, order_id: str) -> Waiter:
        """A place to wait for this order; raises ``Full`` or ``Stopping``."""
        waiter = Waiter(self, order_id)
        with self._lock:
            if self._stopped:
                raise Stopping("this process is about to end")
            if self._count >= self._most:
                raise Full("as many are waiting as this process has places for")
            entry = self._entries.setdefault(order_id, _Entry())
            if len(entry.waiters) >= _MOST_OF_AN_ORDER:
                raise Full(f"{_MOST_OF_AN_ORDER} are waiting for this order already")
            entry.waiters.append(waiter)
            self._count += 1
            idle = [source for source in self._sources if source.name not in self._running]
            self._running.update(source.name for source in idle)
        for source in idle:
            threading.Thread(target=self._run, args=(source,), name=f"results {source.name}", daemon=True).start()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Forget this waiter."""
        with self._lock:
            entry = self._entries.get(waiter.order_id)
            if entry is None or waiter not in entry.waiters:
                return
            entry.waiters.remove(waiter)
            self._count -= 1
            if not entry.waiters:
                del self._entries[waiter.order_id]

    def known(self, order_id: str) -> Result:
        """What the sources have told of an order that is waited for; raises ``Stopping``."""
        if self._stopped:
            raise Stopping("this process is about to end")
        entry = self._entries.get(order_id)
        return entry.result if entry is not None else NOTHING

    def stop(self) -> None:
        """Send everybody away, and let nobody wait from now on."""
        with self._lock:
            self._stopped = True
            waiters = [waiter for entry in self._entries.values() for waiter in entry.waiters]
        for waiter in waiters:
            waiter.event.set()

    def look(self, source: Source) -> None:
        """Ask a source once for all that is waited for, and wake up whoever learns something by it."""
        for chunk in _chunks(self._wanted()):
            try:
                for order in source.ask(chunk):  # which may ask a store for each item anew
                    self._tell(order, source.writes)
            except StoreError:
                continue  # its breaker tells; it is asked again in a moment

    def _wanted(self) -> list[str]:
        with self._lock:
            return [order_id for order_id, entry in self._entries.items() if not entry.result.final]

    def _tell(self, order: Order, written: bool) -> None:
        with self._lock:
            entry = self._entries.get(order.id)
            if entry is None:
                return
            before, entry.result = entry.result, entry.result.and_seen(order, written)
            waiters = entry.waiters[:] if entry.result.tells_more_than(before) else []
        for waiter in waiters:
            waiter.event.set()

    def _run(self, source: Source) -> None:
        while self._is_wanted(source):
            began = self._clock.monotonic()
            try:
                self.look(source)
            except Exception:  # noqa: BLE001 - a bug of ours must not leave everybody waiting
                _log.exception("asking the %s for orders that are waited for failed", source.name)
            took = self._clock.monotonic() - began
            self._clock.sleep(max(source.every, min(source.longest, _SHARE * took)))

    def _is_wanted(self, source: Source) -> bool:
        """Under the lock, so that who joins either finds this thread at work or starts the next."""
        with self._lock:
            if not self._entries:
                self._running.discard(source.name)
            return bool(self._entries)


def _chunks(order_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (order_ids[i : i + CHUNK] for i in range(0, len(order_ids), CHUNK))
