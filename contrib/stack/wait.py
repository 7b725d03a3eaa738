"""Waiting for something to become true, with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


def eventually(predicate: Callable[[], T], within: float = 10.0, what: str = "") -> T:
    """Return the predicate's first true value; raise ``TimeoutError`` naming ``what`` after ``within`` seconds."""
    deadline = time.monotonic() + within
    pause = _FIRST_PAUSE
    while not (value := predicate()):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not within {within:g} s: {what or predicate}; last seen: {value!r}")
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return value
