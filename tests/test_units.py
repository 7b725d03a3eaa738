"""The shipped systemd units start commands that the program knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from seckill_sidecar.cli import parser

UNITS = sorted((Path(__file__).parent.parent / "systemd").glob("*.service"))
PROGRAM = "/opt/seckill/bin/seckill-sidecar "


def test_there_is_a_unit_for_each_kind_of_process() -> None:
    assert [unit.name for unit in UNITS] == [
        "seckill-relay.service",
        "seckill-sidecar.service",
        "seckill-writer@.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_commands_are_ones_that_the_program_knows(unit: Path) -> None:
    commands = re.findall(r"(?m)^ExecStart(?:Pre)?=(.*)$", unit.read_text(encoding="utf-8"))
    assert commands
    for command in commands:
        assert command.startswith(PROGRAM)
        assert parser().parse_args(shlex.split(command.removeprefix(PROGRAM))).command
