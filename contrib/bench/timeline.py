"""A sale cut into moments of one length: how much was answered in each, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from bench.front import Answered

ACCEPTED = 201


@dataclass(frozen=True, slots=True)
class Moment:
    """What was answered within one moment."""

    begin: float
    """Seconds since the first request."""
    by_nginx: float
    """Answers a second that nginx gave by itself."""
    by_sidecar: float
    """Those that the sidecar gave."""
    p50: float
    """Of all answers, in seconds; no number (nan) if there were none, like ``p99``."""
    p99: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """One sale."""

    length: float
    """Of a moment, in seconds."""
    moments: Sequence[Moment]
    accepted: Sequence[tuple[float, float]]
    """Of each accepted purchase: when it was answered, in seconds since the first request, and how long it took."""


def timeline(answers: Sequence[Answered], length: float) -> Timeline:
    """Cut a sale into moments. There is one answer at least."""
    first = min(answer.at - answer.seconds for answer in answers)
    cut: list[list[Answered]] = [[] for _ in range(int((max(a.at for a in answers) - first) / length) + 1)]
    for answer in answers:
        cut[int((answer.at - first) / length)].append(answer)
    accepted = [(answer.at - first, answer.seconds) for answer in answers if answer.status == ACCEPTED]
    return Timeline(length, [_moment(i * length, part, length) for i, part in enumerate(cut)], sorted(accepted))


def _moment(begin: float, answers: Sequence[Answered], length: float) -> Moment:
    alone = sum(answer.by_nginx for answer in answers)
    seconds = sorted(answer.seconds for answer in answers) or [nan]
    p50, p99 = (seconds[int(share * (len(seconds) - 1))] for share in (0.5, 0.99))
    return Moment(begin, alone / length, (len(answers) - alone) / length, p50, p99)
