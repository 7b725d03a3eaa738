"""Orders that are paid or cancelled: which requests of the storefront mean that, and what is then done.

request ─ watched? ─ storefront answers, untouched ─ yes? ─► settle ─► hand off
                                                               └ failed ─► tried again, a bounded number of times
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seckill_sidecar import faults
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, OutcomeUnknown, StoreError
from seckill_sidecar.model import ORDER_ID, Settled, Settlement, State
from seckill_sidecar.ports import Breaker, Ledger
from seckill_sidecar.settings.schema import SettleRoute
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.patterns import Matcher
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.values import Values

_log = logging.getLogger(__name__)
_BUYER_WAITS = 1.0
_PAUSE = 0.05
_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0
_MOST_TRIES = 25
"""Beyond the first; with the pauses between them, about ten minutes."""
_MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Wish:
    """An order that is to be settled."""

    order_id: str
    state: State
    reason: str
    """Kept with the event."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A request that settles an order if the storefront says yes."""

    wish: Wish
    on: Sequence[str]
    """The answers that mean yes: ``2xx``, ``3xx``."""

    def means_yes(self, status: str) -> bool:
        """Whether this status line does. Of the redirects, only those that follow a form: 302 and 303."""
        if status.startswith("2"):
            return "2xx" in self.on
        return "3xx" in self.on and status.startswith(("302", "303"))


@dataclass(frozen=True, slots=True)
class Told:
    """The fact that observers are told: what became of a wish."""

    wish: Wish
    outcome: Settlement | None
    """None if that isn't known: ``error`` says why."""
    state: State | None = None
    """Where the order stands now."""
    error: StoreError | None = None


Observer = Callable[[Told], None]


class Watcher:
    """Finds the requests that settle orders."""

    def __init__(self, routes: Sequence[SettleRoute], body_limit: int) -> None:
        self._routes = tuple((route, Matcher(route, body_limit)) for route in routes)
        self._body_limit = body_limit

    def watched(self, request: Request) -> Watched | None:
        """What this request settles if the storefront says yes. Never raises: it is the storefront's business."""
        for route, matcher in self._routes:
            try:
                values = matcher.match(request)
                if values is not None and not matcher.names_another_method(request):
                    return self._reading(route, Values(request, values, self._body_limit).text(route.order))
            except (Malformed, Refusal) as error:
                _log.info("a request like %s can't be read, so it settles nothing: %s", route.name, error)
                return None
        return None

    def _reading(self, route: SettleRoute, order_id: str | None) -> Watched | None:
        if order_id is None or ORDER_ID.fullmatch(order_id) is None:
            _log.info("a request of route %s names no order of ours, so it settles nothing", route.name)
            return None
        return Watched(Wish(order_id, State(route.to), f"storefront, {route.name}"), route.on)


class Settler:
    """Settles orders for whoever may ask for it."""

    def __init__(
        self,
        ledger: Ledger,
        breaker: Breaker,
        hand_off: Callable[[Settled, Deadline], None],
        clock: Clock,
        observers: Sequence[Observer] = (),
    ) -> None:
        """``hand_off`` takes the event to the broker, or leaves it to the relay; it never raises a ``StoreError``."""
        self._ledger = ledger
        self._breaker = breaker
        self._hand_off = hand_off
        self._clock = clock
        self._observers = tuple(observers)

    def settle(self, wish: Wish, seconds: float) -> Settled:
        """What became of it. Raises ``StoreError`` if that isn't known in time; asking again is harmless."""
        deadline = Deadline.after(seconds, self._clock)
        try:
            settled = self._ask(wish, deadline)
        except StoreError as error:
            self._tell(Told(wish, None, error=error))
            raise
        self._tell(Told(wish, settled.outcome, settled.order.state if settled.order is not None else None))
        self._hand_off(settled, deadline)
        return settled

    def _ask(self, wish: Wish, deadline: Deadline) -> Settled:
        while True:
            try:
                with self._breaker.calling():
                    faults.hit("before_settle")
                    settled = self._ledger.settle(wish.order_id, wish.state, wish.reason, deadline)
                    faults.hit("after_settle")
                    if settled.outcome is Settlement.UNKNOWN_ORDER:
                        self._refuse_lost_item(wish.order_id, deadline)
                    return settled
            except OutcomeUnknown:
                # settle.lua answers "already" the second time; what the first call did is in the outbox.
                if deadline.remaining() <= _PAUSE:
                    raise
            self._clock.sleep(_PAUSE)

    def _refuse_lost_item(self, order_id: str, deadline: Deadline) -> None:
        """A ledger that does not even know the item may have lost the order along with it."""
        sku = order_id.partition("~")[0]
        if self._ledger.item(sku, deadline) is None:
            raise LedgerUntrusted("ledger", f"it does not know the item {sku}")

    def _tell(self, fact: Told) -> None:
        for observer in self._observers:
            observer(fact)


class Promptly:
    """Settles at once what the storefront has said yes to; what fails is tried again in the background.

    The buyer's answer waits a second at most. What waits to be tried again lives in this process only.
    """

    def __init__(self, settler: Settler, clock: Clock) -> None:
        self._settler = settler
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._thread: threading.Thread | None = None

    def settle(self, wish: Wish) -> None:
        """Return when it is settled, or is waiting to be tried again. Never raises: a buyer's answer is at stake."""
        if not self._attempt(wish):
            self._wait(wish)

    def _attempt(self, wish: Wish) -> bool:
        try:
            self._settler.settle(wish, _BUYER_WAITS)
        except StoreError:
            return False  # the observers were told
        except Exception:  # noqa: BLE001 - a bug of ours must not take the buyer's answer away
            _log.exception("order %s could not be settled as %s", wish.order_id, wish.state.value)
            return False
        return True

    def _wait(self, wish: Wish) -> None:
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                _give_up(wish, "too many are waiting already")
                return
            self._waiting.append(_Waiting(wish, self._clock.monotonic() + _FIRST_RETRY))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="settle again", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._any_left():
            for entry in self._due():
                self._retry(entry)
            self._clock.sleep(_FIRST_RETRY)

    def _any_left(self) -> bool:
        """Under the lock, so that who adds one either finds this thread at work or starts the next."""
        with self._lock:
            if not self._waiting:
                self._thread = None
            return bool(self._waiting)

    def _due(self) -> list[_Waiting]:
        now = self._clock.monotonic()
        with self._lock:
            return [entry for entry in self._waiting if entry.at <= now]

    def _retry(self, entry: _Waiting) -> None:
        done = self._attempt(entry.wish)
        entry.tries += 1
        entry.at = self._clock.monotonic() + min(_LONGEST_RETRY, _FIRST_RETRY * 2**entry.tries)
        if not done and entry.tries < _MOST_TRIES:
            return
        with self._lock:
            self._waiting.remove(entry)
        if not done:
            _give_up(entry.wish, f"tried {entry.tries} times")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A wish to be tried again, and when."""

    wish: Wish
    at: float
    tries: int = 0


def _give_up(wish: Wish, why: str) -> None:
    """Say loudly what is left for somebody to do by hand."""
    verb = "pay" if wish.state is State.PAID else "cancel"
    _log.error(
        "order %s was not settled as %s (%s); do it by hand: seckill-sidecar order %s %s",
        wish.order_id, wish.state.value, why, verb, wish.order_id,
    )  # fmt: skip
