"""Plays the matrix and prints its table; exits 1 if anything was lost, sold twice, said falsely, or left unknown."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from faults.jobs import Run, played
from faults.kinds import KINDS
from faults.options import number, record_folder
from faults.run import Result

_ROW = "{:<32} {:>6} {:>8} {:>9} {:>9} {:>10}  {}"


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Play what ``SEEDS``, ``SEED`` (the first) and ``ONLY`` (names or parts of names, by comma) ask for.

    ``JOBS`` runs are played at once (3), as most of their time is waiting. Each run's history goes to the folder
    ``RECORD`` (``var/faults``).
    """
    try:
        names = chosen(environ.get("ONLY", ""))
        first, seeds, jobs = (number(environ, name, usual) for name, usual in (("SEED", 1), ("SEEDS", 3), ("JOBS", 3)))
    except ValueError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 2
    record = record_folder(environ)
    unsound = [result for result in _matrix(names, range(first, first + seeds), jobs, record) if not result.sound]
    for result in unsound:
        print(explain(result, record), file=sys.stderr)
    print(f"histories: {record}", file=sys.stderr)
    return 1 if unsound else 0


def _matrix(names: Sequence[str], seeds: range, jobs: int, record: Path) -> Iterator[Result]:
    """Play each fault with each seed; print each fault's line of the table when it and those above it are done."""
    print(_ROW.format("fault", "seeds", "happened", "accepted", "unknown", "drained", "verdict"), flush=True)
    reasons = {name: KINDS[name].impossible() for name in names}
    runs = [Run(name, seed) for name in names for seed in seeds if not reasons[name]]
    coming = played(runs, jobs, record)
    results: dict[Run, Result] = {}
    for name in names:
        if reasons[name]:
            print(f"{name:<32} not played: {reasons[name]}", flush=True)
            continue
        while not all(Run(name, seed) in results for seed in seeds):
            run, result = next(coming)
            results[run] = result
        print(row([results[Run(name, seed)] for seed in seeds]), flush=True)
    yield from results.values()


def chosen(only: str) -> list[str]:
    """Names of the faults that contain one of these words; all without any. Raises ``ValueError`` if there is none."""
    words = [word.strip() for word in only.split(",") if word.strip()]
    names = [name for name in KINDS if not words or any(word in name for word in words)]
    if not names:
        raise ValueError(f"ONLY={only} names no fault; there are: {' '.join(KINDS)}")
    return names


def row(results: Sequence[Result]) -> str:
    """One fault's line of the table, over its seeds."""
    found = Counter(finding.kind for result in results for finding in result.findings)
    silent = [str(result.seed) for result in results if not result.happened]
    verdict = ", ".join(f"{times} {kind.upper()}" for kind, times in found.items()) or "sound"
    if silent:
        verdict += f", DID NOT HAPPEN with seed {' '.join(silent)}"
    unknown = f"{sum(result.resolved for result in results)}/{sum(result.unknown for result in results)}"
    drained = max(result.drained_s for result in results)
    return _ROW.format(
        results[0].fault,
        len(results),
        sum(result.happened for result in results),
        sum(result.accepted for result in results),
        unknown,
        f"{drained:.1f} s",
        verdict,
    )


def explain(result: Result, record: Path) -> str:
    """What is wrong with one run, and how to play it again."""
    lines = [f"{result.fault}, seed {result.seed} (SEED={result.seed} SEEDS=1 ONLY={result.fault}):"]
    lines += [f"  {finding}" for finding in result.findings[:20]]
    lines += [] if result.happened else ["  the fault did not happen"]
    return "\n".join([*lines, f"  {record / f'{result.fault}-{result.seed}.jsonl'}"])
