"""The log: one line a fact, whatever a client sent, and no buyer's name in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.gate.pipeline import ABANDONED, Decided
from seckill_sidecar.gate.room import BUSY
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers import log
from seckill_sidecar.settings.schema import Log

EVIL = 'a\nlevel=error "b"\r\x1b[31m\u2028\u202e\x00'
_log = logging.getLogger("seckill_sidecar.test")


def written(capsys: pytest.CaptureFixture[str], form: str, level: str = "debug") -> Callable[[], list[str]]:
    """Set the log up; a function that returns the lines since then."""
    log.configure(Log(level=level, format=form))  # type: ignore[arg-type]

    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return lines


def decided(verdict: Verdict = Verdict.ACCEPTED, **more: Any) -> Decided:
    return Decided("buy", verdict, 0.01234, item="kettle", order_id="kettle~1", buyer="Zoë the buyer", **more)


def log_decision(fact: Decided) -> None:
    log.DecisionLog(ManualClock())(fact)


def test_each_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "json")
    log_decision(decided())
    log.log_breaker("ledger", "closed", "open")
    log.log_left_undone("order left", StoreDown("broker", "gone"))
    decision, breaker, undone = map(json.loads, lines())
    assert {name: decision[name] for name in ("level", "message", "verdict", "route", "ms", "item", "order_id")} == {
        "level": "info",
        "message": "decided",
        "verdict": "accepted",
        "route": "buy",
        "ms": 12.3,
        "item": "kettle",
        "order_id": "kettle~1",
    }
    assert decision["time"].endswith("+00:00")
    assert (breaker["level"], breaker["message"]) == ("warning", "breaker ledger: closed -> open")
    assert undone["message"] == "order left: broker: gone"


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_that_a_client_sent_makes_a_line_of_its_own(capsys: pytest.CaptureFixture[str], form: str) -> None:
    lines = written(capsys, form)
    log_decision(decided(Verdict.UNAVAILABLE, reason=EVIL))
    _log.warning("storefront said %s", EVIL)
    found = lines()
    assert len(found) == 2
    assert all(line.isprintable() for line in found)
    if form == "json":
        assert json.loads(found[0])["reason"] == EVIL


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str], form: str) -> None:
    lines = written(capsys, form)
    try:
        raise ValueError(EVIL)  # noqa: TRY301
    except ValueError:
        _log.exception("unforeseen")
    (line,) = lines()
    assert "ValueError" in line


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("verdict", Verdict)
def test_no_buyer_is_named(capsys: pytest.CaptureFixture[str], form: str, verdict: Verdict) -> None:
    lines = written(capsys, form)
    log_decision(decided(verdict, reason="busy"))
    (line,) = lines()
    assert "buyer" not in line.replace("unidentified", "")


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (Verdict.ACCEPTED, "info"),
        (Verdict.UNAVAILABLE, "warning"),
        (Verdict.SOLD_OUT, "debug"),
        (Verdict.INVALID, "debug"),
    ],
)
def test_losers_are_seen_at_debug_only(capsys: pytest.CaptureFixture[str], verdict: Verdict, level: str) -> None:
    lines = written(capsys, "json")
    log_decision(decided(verdict))
    assert json.loads(lines()[0])["level"] == level
    lines = written(capsys, "json", "warning")
    log_decision(decided(verdict))
    assert len(lines()) == (level == "warning")


def test_setting_up_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    written(capsys, "json")
    lines = written(capsys, "json")
    _log.warning("once")
    assert len(lines()) == 1


def test_off_a_terminal_auto_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "auto")
    _log.warning("hello")
    assert json.loads(lines()[0])["message"] == "hello"


def test_a_rush_is_one_line_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    lines, clock = written(capsys, "json", "info"), ManualClock()
    tell = log.DecisionLog(clock)
    for _ in range(100):
        tell(decided(Verdict.UNAVAILABLE, reason=BUSY))
    tell(decided(Verdict.UNAVAILABLE, reason=ABANDONED))
    clock.advance(1.0)
    tell(decided(Verdict.UNAVAILABLE, reason=BUSY))
    first, second = map(json.loads, lines())
    assert (first["busy"], second["busy"], second["abandoned"]) == (1, 100, 1)
