"""Facts as log lines: readable text on a terminal, one JSON object a line elsewhere.

Control characters are escaped, so that nothing a client sent can forge a line. A buyer has a pseudonym, and no name.
The messages and the names of their members are an interface: contrib/docs/operations.md lists them.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from seckill_sidecar.clock import Clock, Few, SystemClock
from seckill_sidecar.errors import BreakerOpen, StoreError
from seckill_sidecar.gate.pipeline import ABANDONED, Decided
from seckill_sidecar.gate.room import BUSY
from seckill_sidecar.gate.settle import Told
from seckill_sidecar.model import Settlement, State, Verdict
from seckill_sidecar.settings.schema import Log

_gate = logging.getLogger("seckill_sidecar.gate")
_breaker = logging.getLogger("seckill_sidecar.breaker")
_MANY = (BUSY, ABANDONED)
_UNAVAILABLE = "unavailable"
_CLIENTS_CAUSE = ("seckill_sidecar.adapters.storefront", "seckill_sidecar.gate.settle")
"""Loggers that say something of requests which anybody can send."""
_as_json = json.JSONEncoder(default=str).encode
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class DecisionLog:
    """One line for each purchase: at info if accepted, at warning if unavailable, else at debug; of those that were
    refused, a sample at info.

    Of those who were turned away because there were too many of them, or who had hung up, one line a second tells the
    number; as soon as they are many, also of those for whom a store was down. A rush must not become a rush of lines.
    """

    def __init__(
        self,
        clock: Clock,
        pseudonym: Callable[[str], str] = lambda _: "",
        refusals: float = 0.0,
        randomness: Callable[[], float] = random.random,
        **more: str,
    ) -> None:
        """``refusals`` is the share of them that is sampled. ``randomness`` gives numbers from 0 to 1.

        ``more`` stands in each line: ``mode="shadow"``.
        """
        self._clock = clock
        self._pseudonym = pseudonym
        self._refusals = refusals
        self._randomness = randomness
        self._more = more
        self._turned_away: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._few = Few(clock)

    def __call__(self, fact: Decided) -> None:
        if fact.reason in _MANY:
            self._count(fact.reason)
            return
        if fact.verdict is Verdict.UNAVAILABLE and not fact.order_id and not self._few.passes():
            self._count(_UNAVAILABLE)
            return
        level = self._level(fact.verdict)
        if _gate.isEnabledFor(level):
            # It is always logged from here: to find that out, as by ``_gate.log``, costs as much as the line.
            record = _gate.makeRecord(_gate.name, level, __file__, 0, "decided", (), None, "__call__")
            vars(record).update(self._facts(fact))
            _gate.handle(record)

    def _level(self, verdict: Verdict) -> int:
        if verdict is Verdict.UNAVAILABLE:
            return logging.WARNING
        if verdict is Verdict.ACCEPTED:
            return logging.INFO
        if self._refusals and verdict is not Verdict.REPLAYED and self._randomness() < self._refusals:
            return logging.INFO
        return logging.DEBUG

    def _facts(self, fact: Decided) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "verdict": fact.verdict.value,
            "route": fact.route,
            "ms": round(fact.seconds * 1000, 1),
            "stages": {stage: round(seconds * 1000, 2) for stage, seconds in fact.stages().items()},
        }
        if fact.item:
            facts["item"] = fact.item
        if fact.order_id:
            facts["order_id"] = fact.order_id
        if fact.buyer and (pseudonym := self._pseudonym(fact.buyer)):
            facts["buyer"] = pseudonym
        if fact.trace.id:
            facts["trace"] = fact.trace.id
        if fact.reason:
            facts["reason"] = fact.reason
        facts.update(self._more)
        return facts

    def _count(self, reason: str) -> None:
        self._turned_away[reason] += 1
        now = self._clock.monotonic()
        if now - self._told_at >= 1.0:
            self._told_at = now
            numbers, self._turned_away = self._turned_away, Counter()
            _gate.warning("purchases turned away since the last such line", extra={**numbers, **self._more})


class FewLines(logging.Filter):
    """Of these loggers, a few lines a second below ``error``; the next one says how many were left out."""

    def __init__(self, names: Collection[str], clock: Clock) -> None:
        super().__init__()
        self._few = {name: Few(clock) for name in names}

    def filter(self, record: logging.LogRecord) -> bool:
        few = self._few.get(record.name)
        if few is None or record.levelno >= logging.ERROR or record.levelno < logging.INFO:
            return True
        if not few.passes():
            return False
        if left_out := few.left_out():
            record.left_out = left_out
        return True


_SETTLEMENTS = {
    Settlement.SETTLED: (logging.INFO, "settled"),
    Settlement.ALREADY: (logging.DEBUG, "it stood so already"),
    Settlement.REFUSED: (logging.WARNING, "refused: it stands otherwise, and that stays"),
    Settlement.UNKNOWN_ORDER: (logging.WARNING, "there is no such order"),
    Settlement.LATE: (
        logging.WARNING,
        "paid too late, its units are on sale again: it becomes a parked case; give back the money, or a unit",
    ),
}


def log_settling(fact: Told) -> None:
    """One line for each try to settle an order; one that failed, or came too late, says so loudly."""
    wish = fact.wish
    extra = {"order_id": wish.order_id, "wanted": wish.state.value, "reason": wish.reason}
    if fact.outcome is None:
        _gate.error("not settled: %s", fact.error, extra=extra)
        return
    level, what = _SETTLEMENTS[fact.outcome]
    if fact.outcome is Settlement.REFUSED and wish.state is State.PAID:
        what += "; if money was paid for it, give it back"
    _gate.log(level, what, extra=extra | {"state": fact.state.value if fact.state is not None else "none"})


def log_breaker(store: str, before: str, after: str) -> None:
    """One line for each change of a breaker's state."""
    level = logging.WARNING if after == "open" else logging.INFO
    _breaker.log(level, "breaker %s: %s -> %s", store, before, after)


def log_left_undone(what: str, error: StoreError) -> None:
    """One line for what a store's failure left to be done later; while its breaker is open, that has been said."""
    _gate.log(logging.DEBUG if isinstance(error, BreakerOpen) else logging.WARNING, "%s: %s", what, error)


def configure(settings: Log) -> None:
    """Send this program's log to standard error in the wanted form. Called by entry points only."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Formatter(_form(settings.format)))
    handler.addFilter(FewLines(_CLIENTS_CAUSE, SystemClock()))
    root = logging.getLogger("seckill_sidecar")
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    root.propagate = False


def let_go_of_full_outputs() -> None:
    """At the end of a process: what a full disk does not take is given up. Python would exit with 120 for it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


class _Handler(logging.StreamHandler[TextIO]):
    """To standard error. What a full disk does not take is lost, and nothing else is harmed."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _form(wanted: Literal["auto", "text", "json"]) -> Literal["text", "json"]:
    if wanted == "auto":
        return "text" if sys.stderr.isatty() else "json"
    return wanted


class _Formatter(logging.Formatter):
    def __init__(self, form: Literal["text", "json"]) -> None:
        super().__init__()
        self._as_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            extra["exception"] = self.formatException(record.exc_info)
        if self._as_json:
            at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
            line = {
                "time": at,
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
            }
            return _as_json(line | extra)
        words = " ".join(f"{name}={_in_words(value)}" for name, value in extra.items())
        return _escaped(f"{record.levelname.lower():7} {record.getMessage()} {words}".rstrip())


def _in_words(value: Any) -> str:
    return ",".join(f"{name}:{inner}" for name, inner in value.items()) if isinstance(value, dict) else str(value)


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
