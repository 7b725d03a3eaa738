"""The environment that the files under test name, and how their expectations are written and read."""

from __future__ import annotations

import re
from pathlib import Path

from seckill_sidecar.errors import Problem

FOLDER = Path(__file__).parent
CONF = FOLDER.parents[1] / "conf"
GOOD = sorted((FOLDER / "good").glob("*.yaml"))
BAD = sorted((FOLDER / "bad").glob("*.yaml"))

ENVIRON = {
    "SECKILL_KEY": "0123456789abcdef0123456789abcdef",
    "SECKILL_PASSWORD": "sesame",
    "SECKILL_BROKER_PASSWORD": "sesame",
    "SECKILL_DATABASE_PASSWORD": "sesame",
    "SECKILL_FOLDER": "var",
    "SECKILL_OPENING": "2026-11-11T20:00:00+08:00",
    "SECKILL_PATIENCE": "45",
    "SECKILL_PEM": "-----BEGIN PUBLIC KEY-----",
    "SECKILL_PREFIX": "shop",
    "SECKILL_RATE": "2/s",
    "SECKILL_STOCK": "100",
}

_EXPECTATION = re.compile(r"^# (expect|warn): ([0-9]+):([0-9]+): (.*)$", re.MULTILINE)


def expectations(file: Path, kind: str) -> list[tuple[int, int, str]]:
    """What a file's head says of itself: line, column, and with what the sentence begins."""
    lines = _EXPECTATION.findall(file.read_text())
    return [(int(line), int(column), text) for word, line, column, text in lines if word == kind]


def differences(found: tuple[Problem, ...], expected: list[tuple[int, int, str]], folder: Path) -> list[str]:
    """What was found and not expected (+), or expected and not found (-), in the order of the file."""
    lines = [str(problem).removeprefix(f"{problem.file}:").replace(str(folder), "FOLDER") for problem in found]
    wanted = [f"{line}:{column}: {text}" for line, column, text in expected]
    surplus = [f"+ {line}" for line in lines if not any(line.startswith(start) for start in wanted)]
    absent = [f"- {start}" for start in wanted if not any(line.startswith(start) for line in lines)]
    unordered = [] if len(lines) == len(wanted) else [f"{len(lines)} found, {len(wanted)} expected"]
    return surplus + absent + unordered
