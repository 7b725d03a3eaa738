"""The load generator: wrk, which keeps up with nginx on one core, with buyers from ``buyers.lua``."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.base import program

SCRIPT = Path(__file__).with_name("buyers.lua")
_LONGEST = 120
"""Seconds after which a run that won't end is ended, at least."""
_SLOWEST = 200
"""Answers a second that are waited for."""

_runs = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Load:
    """What buyers were told."""

    answers: Mapping[int, int]
    """How many, by status."""
    broken: int
    """Connections that failed or broke, and requests that got no answer in time."""
    seconds: float
    """From the first request to the last answer."""
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.answers.values()) / self.seconds

    def rate_of(self, status: int) -> float:
        """Answers of one status a second."""
        return self.answers.get(status, 0) / self.seconds


def for_seconds(
    seconds: int, url: str, path: str, connections: int, items: int = 1, threads: int = 2, think_ms: int = 0
) -> Load:
    """Buy for so long. ``think_ms`` is what a connection waits before each request, on average."""
    with _started(f"{seconds}s", url, path, 0, connections, items, threads, think_ms) as wrk:
        said, _ = wrk.communicate(timeout=seconds + _LONGEST)
    return _read(said.splitlines()[-1])


def buyers(number: int, url: str, path: str, connections: int, items: int = 1, threads: int = 2) -> Load:
    """Let so many buyers try once each, and stop at the last one's answer."""
    longest = max(_LONGEST, number // _SLOWEST)
    with _started(f"{longest}s", url, path, number // threads, connections, items, threads, 0) as wrk:
        assert wrk.stdout is not None
        times = [line.split() for line in itertools.islice(_timed(wrk.stdout), threads)]
        wrk.send_signal(signal.SIGINT)
        said, _ = wrk.communicate(timeout=_LONGEST)
    load = _read(said.splitlines()[-1])
    if len(times) < threads:
        return load  # the time ran out: seconds are all that it took
    seconds = max(float(end) for *_, end in times) - min(float(begin) for _, begin, _ in times)
    return Load(load.answers, load.broken, seconds, load.p50_ms, load.p99_ms)


def _timed(lines: Any) -> Any:
    return (line for line in lines if line.startswith("done"))


def _started(
    duration: str, url: str, path: str, each: int, connections: int, items: int, threads: int, think_ms: int
) -> subprocess.Popen[str]:
    options = [f"-t{threads}", f"-c{connections}", f"-d{duration}", "--timeout", "10s", "-s", str(SCRIPT)]
    words = [path, str(each), str(items), f"b{next(_runs)}", str(think_ms)]
    return subprocess.Popen([program("wrk"), *options, url, "--", *words], stdout=subprocess.PIPE, text=True)


def _read(line: str) -> Load:
    told = json.loads(line.removeprefix("answers "))
    answers = {int(status): count for status, count in told["answers"].items()}
    return Load(answers, told["broken"], told["seconds"], told["p50"], told["p99"])
