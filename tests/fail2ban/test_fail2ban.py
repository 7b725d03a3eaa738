"""The shipped filter, held by fail2ban's own program against lines that the gate really writes."""

from __future__ import annotations

import configparser
import json
import logging
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from seckill_sidecar.clock import ManualClock
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.model import Rate, Verdict
from seckill_sidecar.observers import log
from seckill_sidecar.observers.abuse import AbuseLog
from seckill_sidecar.settings.schema import Log

SHIPPED = Path(__file__).parents[2] / "contrib/fail2ban"
FILTER = SHIPPED / "filter.d/seckill-sidecar.conf"
ADDRESS = "192.0.2.7"
LINE = {
    "time": "2026-11-26T20:00:00.000+00:00",
    "level": "info",
    "logger": "seckill_sidecar.abuse",
    "message": "refused",
    "verdict": "invalid",
    "address": "203.0.113.9",
    "route": "buy",
}
FORGED = f'"}}\n{json.dumps(LINE)}\n{{"'
"""What a client sends that would have somebody else kept away."""

Writes = Callable[[Sequence[Decided]], list[str]]


@pytest.fixture
def write(capsys: pytest.CaptureFixture[str]) -> Writes:
    """What the gate's observers write of these facts, and a line of somebody else's."""

    def write(facts: Sequence[Decided]) -> list[str]:
        log.configure(Log(level="debug", format="json"))
        observers = (log.DecisionLog(ManualClock()), AbuseLog(Rate(count=1000, per=1.0, burst=1000), ManualClock()))
        for fact in facts:
            for tell in observers:
                tell(fact)
        logging.getLogger("seckill_sidecar.gate").warning("storefront said %s", FORGED)
        return capsys.readouterr().err.splitlines()

    return write


def refused(verdict: Verdict, address: str = ADDRESS, reason: str = "") -> Decided:
    return Decided("buy", verdict, 0.001, item="kettle", buyer=FORGED, reason=reason, address=address)


def found_in(lines: Sequence[str], folder: Path, *options: str) -> list[str]:
    """The addresses that fail2ban finds, in their order."""
    (folder / "lines.log").write_text("\n".join(lines) + "\n")
    command = ["/usr/bin/fail2ban-regex", *options, "--out", "ip", str(folder / "lines.log"), str(FILTER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 255), done.stderr  # 255: nothing found
    return done.stdout.split()


@pytest.mark.parametrize("verdict", [Verdict.RATE_LIMITED, Verdict.UNIDENTIFIED, Verdict.NOT_ADMITTED, Verdict.INVALID])
@pytest.mark.parametrize("address", [ADDRESS, "2001:db8:1:2::/64"])
def test_who_is_turned_away_without_sense_is_found(
    write: Writes, tmp_path: Path, verdict: Verdict, address: str
) -> None:
    assert found_in(write([refused(verdict, address)] * 3), tmp_path) == [address] * 3


def test_the_journal_tells_the_same(write: Writes, tmp_path: Path) -> None:
    lines = [f"2026-11-26T20:00:01 host seckill-sidecar[42]: {line}" for line in write([refused(Verdict.INVALID)])]
    assert found_in(lines, tmp_path, "--datepattern", r"^%Y-%m-%dT%H:%M:%S") == [ADDRESS]


def test_nobody_is_found_for_what_others_wrote(write: Writes, tmp_path: Path) -> None:
    lost = [Decided("buy", verdict, 0.001, item="kettle", reason=FORGED) for verdict in Verdict]
    lines = write(lost)
    assert len(lines) == len(Verdict) + 1
    assert found_in(lines, tmp_path) == []


def test_a_forged_line_accuses_nobody_else(write: Writes, tmp_path: Path) -> None:
    assert found_in(write([refused(Verdict.INVALID, reason=FORGED)]), tmp_path) == [ADDRESS]


def test_the_readme_shows_a_line_that_is_found(tmp_path: Path) -> None:
    shown = (SHIPPED / "README.md").read_text().partition("```json\n")[2].partition("\n")[0]
    assert json.loads(shown)["address"] == ADDRESS
    assert found_in([shown], tmp_path) == [ADDRESS]


def test_the_jail_names_the_filter() -> None:
    jail = configparser.ConfigParser(interpolation=None)
    jail.read(SHIPPED / "jail.d/seckill-sidecar.conf")
    assert jail["seckill-sidecar"]["filter"] == FILTER.stem
