"""Fault points: places at which a process can be told to die, fail or dawdle, to see what the others make of it.

    SECKILL_FAULT=after_reserve:kill@3,before_commit:sleep=2s seckill-sidecar serve

The code says ``faults.hit("after_reserve")`` where it matters. That is an empty function until an entry point arms
some points, so it costs a look-up and an empty call (some 50 ns) beside stores that take hundreds of microseconds.
What is done to the process is said on standard error first, so that a test can prove that it happened.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from seckill_sidecar.errors import UsageError

VARIABLE = "SECKILL_FAULT"

POINTS = (
    "before_reserve",
    "after_reserve",
    "before_publish",
    "after_publish",
    "before_commit",
    "after_commit",
    "before_ack",
    "after_ack",
    "before_settle",
    "after_settle",
)
"""Around the ledger's decision, the broker's confirm, the database's COMMIT, the writer's ack, a hold's end."""

_FORM = re.compile(
    r"(?P<point>[a-z_]+):(?:(?P<action>kill|raise)|sleep=(?P<number>\d{1,6})(?P<unit>ms|s))(?:@(?P<time>[1-9]\d{0,8}))?"
)


class InjectedFault(Exception):
    """An error that no code foresees, raised at a fault point that was armed with ``raise``."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """What happens at one point: each time, or the ``time``-th time only (0 for each)."""

    words: str
    action: Callable[[str], None]
    time: int = 0
    _times: count[int] = field(default_factory=lambda: count(1))  # next() is one step for all threads

    def happen(self) -> None:
        if self.time in (0, next(self._times)):
            os.write(2, f"fault point {self.words}\n".encode())
            self.action(self.words)


def _pass_by(point: str) -> None:
    """No fault is armed."""


hit: Callable[[str], None] = _pass_by
"""Come by a fault point. Call it as ``faults.hit``: ``arm`` puts another function here."""


def arm(environ: Mapping[str, str]) -> None:
    """Make happen what ``SECKILL_FAULT`` says; nothing if it is unset. Raises ``UsageError``. For entry points."""
    global hit  # noqa: PLW0603 - chosen once a process, so that an unarmed point asks nothing
    armed = [_fault(words.strip()) for words in environ.get(VARIABLE, "").split(",") if words.strip()]
    if not armed:
        hit = _pass_by
        return
    by_point: dict[str, list[_Fault]] = {}
    for point, fault in armed:
        by_point.setdefault(point, []).append(fault)

    def come_by(point: str) -> None:
        for fault in by_point.get(point, ()):
            fault.happen()

    hit = come_by


def _fault(words: str) -> tuple[str, _Fault]:
    found = _FORM.fullmatch(words)
    if found is None or found["point"] not in POINTS:
        raise UsageError(
            f"{VARIABLE}: {words!r} is not POINT:kill, POINT:raise or POINT:sleep=2s, with or without @TIME; "
            f"points are {', '.join(POINTS)}"
        )
    if found["action"]:
        action = {"kill": _kill, "raise": _raise}[found["action"]]
    else:
        action = _sleeper(int(found["number"]) / (1000 if found["unit"] == "ms" else 1))
    return found["point"], _Fault(words, action, int(found["time"] or 0))


def _kill(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(words: str) -> None:
    raise InjectedFault(words)


def _sleeper(seconds: float) -> Callable[[str], None]:
    return lambda _: time.sleep(seconds)
