"""Contenders that take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

Runs = dict[str, list[float]]
"""By contender: what each round measured."""


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Runs:
    """Let each contender run once a round, the order reversed from one round to the next."""
    runs: Runs = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            runs[name].append(contenders[name]())
    return runs


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of each round's own ratio."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))
