"""One order followed until all is known of it: what is to be told, and when, whoever carries it to the buyer.

look ─► tell ─► wait ─► more is known? ─► tell ─► … final
                     └► nothing for a while: a beat, which finds out whether anybody is there
                     └► nobody knows it for too long: the id is sealed, and that is final
                     └► too long in all, or this process ends: come back
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.results.desk import Asker, Desk
from seckill_sidecar.gate.results.hub import Hub, Stopping, Waiter
from seckill_sidecar.gate.results.pace import Pace
from seckill_sidecar.gate.results.result import NOTHING, Result
from seckill_sidecar.plugs.results.shown import Members, Showing


class Step(Enum):
    """What happens besides news."""

    BEAT = auto()
    """Nothing for a while: say something, to see whether anybody is there."""
    OVER = auto()
    """It took too long: the buyer may come back. The last step."""
    STOPPING = auto()
    """This process is about to end: another one goes on when the buyer comes back. The last step."""


@dataclass(frozen=True, slots=True)
class News:
    """What is known of the order by now; the last step if it is final."""

    members: Members
    final: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds on waiting, in seconds."""

    heartbeat: float
    """Without anything said."""
    unknown: float
    """For an order that nobody has seen: until then its purchase may be under way."""
    longest: float
    """In all."""


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows orders for whoever asks."""

    desk: Desk
    hub: Hub
    showing: Showing
    pace: Pace
    clock: Clock
    patience: Patience

    def first(self, asker: Asker) -> Result:
        """What is known before anything is waited for; raises nothing: what can't be told is not known yet."""
        try:
            return self.desk.now(asker, final=False)
        except StoreError:
            return NOTHING

    def steps(self, asker: Asker, waiter: Waiter, result: Result) -> Iterator[News | Step]:
        """From the first news to the last step. The waiter's place is the caller's to give back."""
        yield self.news(asker, result)
        longest = Deadline.after(self.patience.longest, self.clock)
        beat = Deadline.after(self.patience.heartbeat, self.clock)
        unknown = Deadline.after(self.patience.unknown, self.clock)
        while not result.final:
            if longest.passed():
                yield Step.OVER
                return
            try:
                newer = self._next(asker, waiter, result, unknown, min(longest.remaining(), beat.remaining()))
            except Stopping:
                yield Step.STOPPING
                return
            if newer.tells_more_than(result):
                yield self.news(asker, newer)
                beat = Deadline.after(self.patience.heartbeat, self.clock)
            elif beat.passed():
                yield Step.BEAT
                beat = Deadline.after(self.patience.heartbeat, self.clock)
            result = newer

    def next_news(self, asker: Asker, waiter: Waiter, result: Result, seconds: float) -> Result:
        """More than this result tells, as soon as it is known; what is known if the time is over before that."""
        deadline, unknown = (Deadline.after(s, self.clock) for s in (seconds, self.patience.unknown))
        while not (result.final or deadline.passed() or (self._may_seal(asker, result) and unknown.passed())):
            try:
                newer = self._next(asker, waiter, result, unknown, deadline.remaining())
            except Stopping:
                return result
            if newer.tells_more_than(result):
                return newer
            result = newer
        return result

    def news(self, asker: Asker, result: Result) -> News:
        """A result as news."""
        return News(self.showing.members(asker, result), result.final)

    def _next(self, asker: Asker, waiter: Waiter, result: Result, unknown: Deadline, seconds: float) -> Result:
        """What is known after a while, or as soon as more is told."""
        sealing = self._may_seal(asker, result)
        if sealing and unknown.passed():
            return self._sealed(asker, waiter, seconds)
        told = waiter.wait(unknown.within(seconds) if sealing else seconds)
        return result if told.order is None else self.desk.of(asker, result.and_seen(told.order, told.written))

    def _may_seal(self, asker: Asker, result: Result) -> bool:
        return result.order is None and asker.may_seal

    def _sealed(self, asker: Asker, waiter: Waiter, seconds: float) -> Result:
        try:
            return self.desk.now(asker, final=True)
        except StoreError:  # nothing is sealed while nobody can tell; once somebody can, it is
            waiter.wait(min(1.0, seconds))
            return NOTHING
