"""The shipped systemd units, and those that ``install`` makes of them for several shops: they start commands that the
program knows, systemd reads them, and they are locked in."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from stack.base import program
from unit_sites import TEMPLATES
from unit_words import PROGRAM, SYSTEMD

from seckill_sidecar.cli import parser
from seckill_sidecar.errors import CannotCreate, ConfigurationError, NotPermitted, Unreadable, UsageError
from seckill_sidecar.ops.install import sites

KINDS = (".service", ".socket", ".target")
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in sorted(SYSTEMD.iterdir()) if path.suffix in KINDS}
UNITS = SHIPPED | TEMPLATES
SERVICES = [name for name in UNITS if name.endswith(".service")]
EXPOSURE = 2.0
HARDENING = "# What it may not do"


def test_there_is_a_unit_for_each_kind_of_process() -> None:
    assert list(SHIPPED) == [
        "seckill-relay.service",
        "seckill-sidecar.service",
        "seckill-sidecar.socket",
        "seckill-writer@.service",
        "seckill.target",
    ]
    assert sorted(TEMPLATES) == [
        "seckill-relay@.service",
        "seckill-sidecar@.service",
        "seckill-sidecar@.socket",
        "seckill-writer-1@.service",
        "seckill-writer-2@.service",
        "seckill@.target",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_its_commands_are_ones_that_the_program_knows(name: str) -> None:
    commands = re.findall(r"(?m)^Exec\w+=(.*)$", UNITS[name])
    ours = [command for command in commands if command != "/bin/kill -HUP $MAINPID"]
    assert len(ours) == len(commands) - 1 == 2
    for command in ours:
        words = shlex.split(command)
        assert words[0] == PROGRAM
        assert parser().parse_args(words[1:]).command


@pytest.mark.parametrize("name", SERVICES)
def test_a_reload_asks_the_check_first(name: str) -> None:
    reloads = re.findall(r"(?m)^ExecReload=(.*)$", UNITS[name])
    assert [shlex.split(command)[1] for command in reloads] == ["check", "-HUP"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_cannot_be_mended_by_trying_again_is_not_tried_again(name: str) -> None:
    """systemd looks at the main process only: a check before it would be tried again for ever."""
    (codes,) = re.findall(r"(?m)^RestartPreventExitStatus=(.*)$", UNITS[name])
    lasting = {error.exit_code for error in (UsageError, Unreadable, CannotCreate, NotPermitted, ConfigurationError)}
    assert set(map(int, codes.split())) == lasting
    assert "ExecStartPre" not in UNITS[name]


def test_all_are_locked_in_alike() -> None:
    assert len({UNITS[name].partition(HARDENING)[2].partition("[Install]")[0] for name in SERVICES}) == 1


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_names_nothing_that_another_shop_has_too(name: str) -> None:
    """Whatever a single shop's units say of files, folders and units is made the site's own."""
    lines = [line for line in TEMPLATES[name].splitlines() if not line.startswith("#")]
    of_files = [line for line in lines if re.search(r"seckill[./@-]|/seckill|=seckill", line.replace(PROGRAM, ""))]
    shared = ("User=", "Group=", "Description=")
    assert [line for line in of_files if "%i" not in line and not line.startswith(shared)] == []


@pytest.mark.parametrize(("of_one", "_"), [*sites.OF_UNITS, *sites.OF_YAML])
def test_what_is_made_a_sites_own_is_there(of_one: str, _: str) -> None:
    shipped = [*SHIPPED.values(), (SYSTEMD.parent / "conf/seckill.yaml").read_text(encoding="utf-8")]
    assert any(of_one in text for text in shipped)


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), "--no-pager", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def instance(name: str) -> str:
    """A unit as it is started: a writer by its number, a template by its site."""
    return name.replace("@.", "@1." if name in SHIPPED else "@shop.")


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    """All together, as they name each other; with programs that exist here."""
    for name, text in UNITS.items():
        (tmp_path / instance(name)).write_text(text.replace(PROGRAM, "/bin/true"))
    done = analyze("verify", "--man=no", "--recursive-errors=no", *sorted(tmp_path.iterdir()))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_do_little_beside_its_work(name: str, tmp_path: Path) -> None:
    named = tmp_path / instance(name)
    named.write_text(UNITS[name])
    done = analyze("security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", named)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) <= EXPOSURE
    assert done.returncode == 0
