"""The shipped systemd units: they start commands that the program knows, systemd reads them, and they are locked in."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from stack.base import program

from seckill_sidecar.cli import parser

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".service", ".socket", ".target"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/seckill/bin/seckill-sidecar"
EXPOSURE = 2.0


def test_there_is_a_unit_for_each_kind_of_process() -> None:
    assert [unit.name for unit in UNITS] == [
        "seckill-relay.service",
        "seckill-sidecar.service",
        "seckill-sidecar.socket",
        "seckill-writer@.service",
        "seckill.target",
    ]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_its_commands_are_ones_that_the_program_knows(unit: Path) -> None:
    commands = re.findall(r"(?m)^Exec(?:Start|StartPre|Reload)=(.*)$", unit.read_text(encoding="utf-8"))
    ours = [command for command in commands if command != "/bin/kill -HUP $MAINPID"]
    assert len(ours) == len(commands) - 1 == 3
    for command in ours:
        words = shlex.split(command)
        assert words[0] == PROGRAM
        assert parser().parse_args(words[1:]).command


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_reload_asks_the_check_first(unit: Path) -> None:
    reloads = re.findall(r"(?m)^ExecReload=(.*)$", unit.read_text(encoding="utf-8"))
    assert [shlex.split(command)[1] for command in reloads] == ["check", "-HUP"]


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), "--no-pager", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    """All together, as they name each other; with programs that exist here, and a writer by its number."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    done = analyze("verify", "--man=no", "--recursive-errors=no", *sorted(tmp_path.iterdir()))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_it_may_do_little_beside_its_work(unit: Path, tmp_path: Path) -> None:
    named = shutil.copy(unit, tmp_path / unit.name.replace("@.", "@1."))
    done = analyze("security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", named)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) <= EXPOSURE
    assert done.returncode == 0
