"""Calls that wait at the same moment travel together.

The first caller leads: it takes whatever waits, flies it as one pipeline, and hands the lead to a
waiting caller. There is no timer: a lone call leaves at once, and while one flight is in the air the next
one gathers. Measured: a command of its own costs 150-240 µs of CPU under gevent, in a pipeline of 50
it costs 19-29.

    submit > waiting > flight > answer
    post   > waiting > flight              (nobody waits for what was posted)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, TooBusy


class Call:
    """One command (or several that stay together) on its way, and where its answer arrives."""

    __slots__ = ("_bell", "answered", "command", "deadline", "error", "leads", "replies", "value")
    awaited = True
    """Whether somebody waits for the answer, and could lead."""

    def __init__(self, command: bytes, deadline: Deadline, replies: int | None = None) -> None:
        """``replies`` is how many commands these bytes are, if the answer is to be a list; None is one."""
        self.command = command
        self.deadline = deadline
        self.replies = replies
        self.value: Any = None
        self.error: Exception | None = None
        self.answered = False
        self.leads = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def answer(self, value: Any) -> None:
        self.value = value
        self.answered = True

    def fail(self, error: Exception) -> None:
        self.error = error
        self.answered = True

    def lead(self) -> None:
        self.leads = True
        self.ring()

    def ring(self) -> None:
        """Wake whoever waits: it is answered, or leads."""
        self._bell.release()

    def wait(self, seconds: float) -> bool:
        """Until it is answered or leads; False if neither happened in time."""
        return self._bell.acquire(timeout=seconds)


class Posting(Call):
    """A command that travels with others, for whose answer nobody waits."""

    __slots__ = ("_report",)
    awaited = False

    def __init__(self, command: bytes, deadline: Deadline, report: Callable[[Exception], None]) -> None:
        """``report`` is told what it failed with; it must not wait. What it raises is lost."""
        super().__init__(command, deadline)
        self._report = report

    def ring(self) -> None:
        """Tell if it failed. It is a stranger's code, so nobody holds a lock or the lead any more."""
        if self.error is not None:
            with suppress(Exception):
                self._report(self.error)


Fly = Callable[[Sequence[Call]], None]
"""Sends the commands and answers or fails each call. What it leaves unanswered is taken as unknown."""


class Gatherer:
    """Brings waiting calls into flights, one in the air at a time."""

    def __init__(self, store: str, fly: Fly, most: int, bound: int) -> None:
        """``most`` calls in one flight, ``bound`` calls waiting before a further one is TooBusy."""
        self._store = store
        self._fly = fly
        self._most = most
        self._bound = bound
        self._lock = threading.Lock()
        self._waiting: deque[Call] = deque()
        self._in_the_air = False

    def submit(self, command: bytes, deadline: Deadline, replies: int | None = None) -> Any:
        """The command's answer; raises what it failed with, or a StoreError when time is over."""
        call = Call(command, deadline, replies)
        if self._leads_at_once(call) or self._wait(call):
            self._lead()
        if call.error is not None:
            raise call.error
        return call.value

    def post(self, command: bytes, deadline: Deadline, report: Callable[[Exception], None]) -> None:
        """Have the command travel with the next flight, without waiting for it; with none in the air, it flies now.

        ``report`` is told if it failed. Raises ``TooBusy``. What is still waiting when the process ends is never sent.
        """
        if self._leads_at_once(Posting(command, deadline, report)):
            self._lead()

    def _leads_at_once(self, call: Call) -> bool:
        with self._lock:
            if not self._in_the_air:
                # Ahead of the postings that a broken flight left, however many: who leads has to fly along.
                self._waiting.appendleft(call)
                self._in_the_air = True
                return True
            if len(self._waiting) >= self._bound:
                raise TooBusy(self._store, f"{self._bound} calls are waiting already")
            self._waiting.append(call)
            return False

    def _wait(self, call: Call) -> bool:
        """Whether the call was given the lead; it is answered otherwise."""
        try:
            if call.wait(call.deadline.remaining()):
                return call.leads
        except BaseException:  # killed while it waited: the lead must not be left with the dead
            self._withdraw(call)
            raise
        with self._lock:
            if call.leads:
                return call.wait(0)  # the bell rang in the very last moment; whoever answers will ring it again
            if call.answered:
                return False
            if call in self._waiting:
                self._waiting.remove(call)
                raise _never_sent(self._store)
        raise OutcomeUnknown(self._store, "no answer before the deadline")

    def _withdraw(self, call: Call) -> None:
        with self._lock:
            if call in self._waiting:
                self._waiting.remove(call)
            if call.leads:
                self._in_the_air = self._passed_on()

    def _lead(self) -> None:
        while self._fly_once():
            pass  # only postings wait, which can't lead

    def _fly_once(self) -> bool:
        """Whether this leader has to fly once more."""
        flight: list[Call] = []
        stays = False
        try:
            flight = self._board()
            if flight:
                self._fly(flight)
            stays = True
        finally:
            again = self._land(flight, stays)
        return again

    def _board(self) -> list[Call]:
        """Who flies now, in the order of arrival. Whose time is over stays behind: nobody waits for the answer."""
        flight: list[Call] = []
        late: list[Call] = []
        with self._lock:
            while self._waiting and len(flight) < self._most:
                call = self._waiting.popleft()
                if call.deadline.passed():
                    call.fail(_never_sent(self._store))
                    late.append(call)
                else:
                    flight.append(call)
        for call in late:
            call.ring()
        return flight

    def _land(self, flight: Sequence[Call], stays: bool) -> bool:
        """Whether the leader, if it ``stays``, has the lead still: those who wait can't take it."""
        for call in flight:
            if not call.answered:
                call.fail(OutcomeUnknown(self._store, "the flight broke off"))
        with self._lock:
            passed_on = self._passed_on()
            # Without a leader, postings wait for the next caller, who takes them along.
            self._in_the_air = passed_on or (stays and bool(self._waiting))
            again = self._in_the_air and not passed_on
        # Who leads next was woken first, so that the store has work while all the others go on with theirs.
        for call in flight:
            call.ring()
        return again

    def _passed_on(self) -> bool:
        """Whether somebody leads next: of those sure to fly along who has the most time, as it stays for them all."""
        able = [call for call in islice(self._waiting, self._most) if call.awaited]
        if able:
            max(able, key=lambda call: call.deadline.at).lead()
            return True
        # So many postings are in front that nobody is sure: let the first who waits behind them overtake them.
        leader = next((call for call in self._waiting if call.awaited), None)
        if leader is None:
            return False
        self._waiting.remove(leader)
        self._waiting.appendleft(leader)
        leader.lead()
        return True


def _never_sent(store: str) -> DeadlinePassed:
    # No failure of the store's: a process that is too busy keeps its own calls waiting. If the store is what is slow,
    # those tell of it that are under way.
    return DeadlinePassed(store, "an earlier call was still under way at the deadline; nothing was sent")
