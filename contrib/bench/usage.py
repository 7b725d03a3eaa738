"""What processes have used so far: CPU time and memory (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_USER, _SYSTEM, _RESIDENT = 11, 12, 21
"""Fields of ``stat``, counted from the one after the name."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, to a hundredth of a second."""
    return sum(int(fields[_USER]) + int(fields[_SYSTEM]) for fields in map(_stat, pids)) / _TICK


def resident_mb(pids: Iterable[int]) -> float:
    """Memory that they have in use, in MiB; what they share counts for each."""
    return sum(int(fields[_RESIDENT]) for fields in map(_stat, pids)) * _PAGE / (1 << 20)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
