"""The messages between their callers and the thread that publishes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from seckill_sidecar.adapters.broker.faults import Failure
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, StoreDown, TooBusy


class Message:
    """One message and, once it is ``settled``, what became of it: confirmed, unless there is a ``failure``."""

    __slots__ = ("_bell", "body", "deadline", "failure", "id", "settled", "traceparent")

    def __init__(self, message_id: str, body: bytes, traceparent: str, deadline: Deadline) -> None:
        self.id = message_id
        self.body = body
        self.traceparent = traceparent
        self.deadline = deadline
        self.settled = False
        self.failure: Failure | None = None
        # A bare lock: there is one waiter, and an Event would make two locks and a queue for each message.
        self._bell = threading.Lock()
        self._bell.acquire()

    def settle(self, failure: Failure | None) -> None:
        """Tell the caller, if it still waits. Called once."""
        self.failure = failure
        self.settled = True
        self._bell.release()

    def wait(self, seconds: float) -> bool:
        """Until it is settled; False if it was not in time. Called once, by the caller who handed it over."""
        return self._bell.acquire(timeout=seconds)


class InFlight:
    """Holds every message from its hand-over until it is settled, or withdrawn unsent. Bounded in number.

        hand_over ──► waiting ──take──► sent ──settle──► gone
                         └──withdraw, refuse, lose───────▲

    A sent message keeps its place after its caller has left, until the broker confirms it or the session ends. So what
    a silent broker has not confirmed is bounded too, and when that bound is reached a new message is turned away at
    once: nothing in this process could make room for it, and its order is safe in the outbox.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._waiting: dict[Message, None] = {}  # as an ordered set
        self._sent: dict[Message, None] = {}
        self._refusal: Failure | None = None
        self._wake: Callable[[], None] | None = None
        self._woken = False

    # -- called by publishing threads -------------------------------------------------------------------

    def hand_over(self, message: Message) -> None:
        """Queue a message to be sent; raises ``TooBusy``, ``StoreDown`` or ``DeadlinePassed`` instead."""
        with self._lock:
            self._admit(message)
            self._waiting[message] = None
            # One wake-up serves all that arrive until the owner takes them.
            wake = None if self._woken else self._wake
            self._woken = self._woken or wake is not None
        if wake is not None:
            wake()

    def withdraw(self, message: Message) -> None:
        """Its caller leaves. If it was not sent yet, it never will be; if it was, its outcome is unknown."""
        if message.settled:
            return
        with self._lock:
            if message in self._waiting:
                del self._waiting[message]
                message.failure = self._why_unsent(message)
            elif message in self._sent:
                message.failure = Failure(OutcomeUnknown, f"no confirm of {message.id} in time")
            self._notify()

    def _admit(self, message: Message) -> None:
        if self._refusal is not None:
            raise self._refusal.error()
        if len(self._waiting) + len(self._sent) >= self._limit:
            raise Failure(TooBusy, f"{self._limit} messages are unconfirmed, as many as may be").error()
        if message.deadline.passed():
            raise Failure(DeadlinePassed, "the deadline had passed before publishing").error()

    def _why_unsent(self, message: Message) -> Failure:
        if self._wake is None:
            return Failure(StoreDown, "no connection yet, nothing was sent")
        if message.deadline.passed():
            return Failure(DeadlinePassed, "the deadline passed before it could be sent")
        return Failure(StoreDown, "it could not be sent in time")

    # -- called by the thread that owns the connection ----------------------------------------------------

    def open(self, wake: Callable[[], None]) -> None:
        """A session is ready. ``wake`` makes its thread take what waits; called now, and when more is there."""
        with self._lock:
            self._refusal = None
            self._wake = wake
            self._woken = True
        wake()

    def take(self) -> list[Message]:
        """All that wait and are still in time: from now on they count as sent."""
        with self._lock:
            self._woken = False
            taken, self._waiting = self._waiting, {}
            late = [message for message in taken if message.deadline.passed()]
            for message in late:
                del taken[message]
                message.settle(self._why_unsent(message))
            self._sent |= taken
            self._notify()
        return list(taken)

    def settle(self, outcomes: Iterable[tuple[Message, Failure | None]]) -> None:
        """The broker has answered these."""
        with self._lock:
            for message, failure in outcomes:
                if message in self._sent:
                    del self._sent[message]
                    message.settle(failure)
            self._notify()

    def refuse(self, failure: Failure) -> None:
        """Fail what waits unsent, and whatever is handed over from now on."""
        with self._lock:
            self._refusal = failure
            self._fail_waiting(failure)
            self._notify()

    def accept(self) -> None:
        """Refuse no longer."""
        with self._lock:
            self._refusal = None

    def lose(self, failure: Failure) -> None:
        """The session is over: what was sent may have arrived; the rest, and what comes, surely has not."""
        with self._lock:
            self._wake = None
            self._refusal = failure
            self._fail_waiting(failure)
            unknown = Failure(OutcomeUnknown, f"sent, then {failure.what}", failure.cause)
            for message in self._sent:
                message.settle(unknown)
            self._sent.clear()
            self._notify()

    def _fail_waiting(self, failure: Failure) -> None:
        for message in self._waiting:
            message.settle(failure)
        self._waiting.clear()

    # -- closing ------------------------------------------------------------------------------------------

    def drain(self, within: float) -> bool:
        """Wait until nothing is under way; False if ``within`` seconds did not suffice."""
        with self._lock:
            return self._empty.wait_for(self._is_empty, within)

    def _is_empty(self) -> bool:
        return not self._waiting and not self._sent

    def _notify(self) -> None:
        if self._is_empty():
            self._empty.notify_all()
