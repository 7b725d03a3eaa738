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
from seckill_sidecar.model import Rate, Verdict
from seckill_sidecar.observers import log
from seckill_sidecar.observers.abuse import AbuseLog
from seckill_sidecar.settings.schema import Log
from seckill_sidecar.wire.tokens import Keyring, SigningKey
from seckill_sidecar.wire.trace import Trace

EVIL = 'a\nlevel=error "b"\r\x1b[31m\u2028\u202e\x00'
KEYRING = Keyring([SigningKey("a", b"a key of the site")])
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
    log_decision(decided(Verdict.UNAVAILABLE, reason=EVIL, trace=Trace(own="x" * 3 + EVIL)))
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
    log.DecisionLog(ManualClock(), KEYRING.pseudonym)(decided(verdict))
    (line,) = lines()
    assert KEYRING.pseudonym("Zoë the buyer") in line
    assert "Zo" not in line


def test_a_pseudonym_is_one_buyers_and_nobody_makes_it_without_the_key() -> None:
    names = {KEYRING.pseudonym(f"buyer-{number}") for number in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 12 and set(name) <= set("0123456789abcdef") for name in names)
    assert KEYRING.pseudonym("ann") == KEYRING.pseudonym("ann")
    assert KEYRING.pseudonym("ann") != Keyring([SigningKey("b", b"another key")]).pseudonym("ann")
    assert Keyring([]).pseudonym("ann") == ""


def test_a_line_tells_the_stages_and_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    moments = (5.0, 5.001, 5.0015, 5.0025, 5.0025, 5.0025, 5.0105, 5.0125)
    trace = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
    fact = decided(Verdict.SOLD_OUT, moments=moments, trace=trace)
    lines = written(capsys, "json")
    log_decision(fact)
    line = json.loads(lines()[0])
    assert line["stages"] == {
        "route": 1.0, "room": 0.5, "identify": 1.0, "local": 0.0, "challenge": 0.0, "reserve": 8.0, "reply": 2.0,
    }  # fmt: skip
    assert line["trace"] == "0af7651916cd43dd8448eb211c80319c"
    lines = written(capsys, "text")
    log_decision(fact)
    assert "stages=route:1.0,room:0.5,identify:1.0,local:0.0,challenge:0.0,reserve:8.0,reply:2.0" in lines()[0]


def test_of_refusals_a_sample_is_told_at_info(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "json", "info")
    numbers = iter([0.009, 0.01, 0.5, 0.0, 0.0])
    tell = log.DecisionLog(ManualClock(), refusals=0.01, randomness=lambda: next(numbers))
    for verdict in (Verdict.SOLD_OUT, Verdict.SOLD_OUT, Verdict.LIMIT_REACHED, Verdict.INVALID, Verdict.REPLAYED):
        tell(decided(verdict))
    assert [json.loads(line)["verdict"] for line in lines()] == ["sold_out", "invalid"]


def test_unless_a_sample_is_wanted_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "json", "info")
    log.DecisionLog(ManualClock(), randomness=lambda: pytest.fail("drawn"))(decided(Verdict.SOLD_OUT))
    assert lines() == []


def test_a_line_that_is_not_written_costs_no_pseudonym(capsys: pytest.CaptureFixture[str]) -> None:
    written(capsys, "json", "info")
    log.DecisionLog(ManualClock(), pseudonym=lambda _: pytest.fail("made"))(decided(Verdict.SOLD_OUT))


def test_who_asks_without_sense_is_told_by_address_and_a_flood_by_so_many_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, clock = written(capsys, "json", "info"), ManualClock()
    tell = AbuseLog(Rate(count=2, per=1.0, burst=3), clock)
    for number in range(50):
        tell(decided(Verdict.RATE_LIMITED, address=f"192.0.2.{number}"))
    clock.advance(1.0)
    for _ in range(50):
        tell(decided(Verdict.INVALID, address="2001:db8::/64", reason=EVIL))
    tell(decided(Verdict.SOLD_OUT))
    found = [json.loads(line) for line in lines()]
    assert [(line["verdict"], line["address"]) for line in found] == [
        ("rate_limited", "192.0.2.0"), ("rate_limited", "192.0.2.1"), ("rate_limited", "192.0.2.2"),
        ("invalid", "2001:db8::/64"), ("invalid", "2001:db8::/64"),
    ]  # fmt: skip
    assert {line["logger"] for line in found} == {"seckill_sidecar.abuse"}
    assert not any({"buyer", "item", "reason"} & line.keys() for line in found)


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


# -- floods --------------------------------------------------------------------------------------------


def test_a_store_that_is_down_does_not_fill_the_disk(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "json", level="info")
    clock = ManualClock()
    write = log.DecisionLog(clock)
    for _ in range(500):
        write(Decided("buy", Verdict.UNAVAILABLE, 0.01, item="kettle", reason="ledger: down"))
    clock.advance(1.0)
    for _ in range(20):
        write(Decided("buy", Verdict.UNAVAILABLE, 0.01, item="kettle", reason="ledger: down"))
    found = [json.loads(line) for line in lines()]
    assert [line["message"] for line in found].count("decided") == 20
    assert sum(line.get("unavailable", 0) for line in found) >= 490
    assert len(found) <= 22


def test_a_purchase_that_names_an_order_always_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "json", level="info")
    write = log.DecisionLog(ManualClock())
    for _ in range(50):
        write(decided(Verdict.UNAVAILABLE, reason="reply lost"))
    assert len(lines()) == 50


def test_of_lines_that_any_client_can_cause_a_few_a_second_are_written() -> None:
    clock = ManualClock()
    few = log.FewLines(["chatty"], clock)
    records = [logging.makeLogRecord({"name": "chatty", "levelno": logging.WARNING}) for _ in range(200)]
    assert [few.filter(record) for record in records].count(True) == 10
    clock.advance(1.0)
    next_one = logging.makeLogRecord({"name": "chatty", "levelno": logging.WARNING})
    assert few.filter(next_one)
    assert next_one.left_out == 190  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "level"), [("chatty", logging.ERROR), ("another", logging.WARNING)])
def test_errors_and_all_other_loggers_are_heard_whatever_happens(name: str, level: int) -> None:
    few = log.FewLines(["chatty"], ManualClock())
    assert all(few.filter(logging.makeLogRecord({"name": name, "levelno": level})) for _ in range(100))
