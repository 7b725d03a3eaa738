"""Plays the matrix and prints its table; exits 1 if anything was lost, sold twice, said falsely, or left unknown."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stack import MariaDB, RabbitMQ

from faults.kinds import KINDS
from faults.kinds.fault import Fault
from faults.run import Result, failed, play
from faults.stage import Stage, opened_stage

_ROW = "{:<32} {:>6} {:>8} {:>9} {:>9} {:>10}  {}"


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Play what ``SEEDS``, ``SEED`` (the first) and ``ONLY`` (names or parts of names, by comma) ask for.

    Each run's history goes to the folder ``RECORD`` (``var/faults``).
    """
    try:
        names, seeds = chosen(environ.get("ONLY", "")), _seeds(environ)
    except ValueError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 2
    record = Path(environ.get("RECORD") or "var/faults")
    record.mkdir(parents=True, exist_ok=True)
    unsound = [result for result in _matrix(names, seeds, record) if not result.sound]
    for result in unsound:
        print(explain(result, record), file=sys.stderr)
    print(f"histories: {record}", file=sys.stderr)
    return 1 if unsound else 0


def _matrix(names: Sequence[str], seeds: range, record: Path) -> Iterator[Result]:
    """Play each fault with each seed, and print a line of the table when it is done."""
    print(_ROW.format("fault", "seeds", "happened", "accepted", "unknown", "drained", "verdict"), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="faults-stage-") as folder,
        MariaDB() as mariadb,
        RabbitMQ() as rabbit,
        opened_stage(Path(folder), mariadb, rabbit) as stage,
    ):
        for name in names:
            if reason := KINDS[name].impossible():
                print(f"{name:<32} not played: {reason}", flush=True)
                continue
            results = [_played(stage, KINDS[name], seed, record) for seed in seeds]
            print(row(results), flush=True)
            yield from results


def _played(stage: Stage, kind: type[Fault], seed: int, record: Path) -> Result:
    try:
        return play(stage, kind, seed, record)
    except Exception as error:  # noqa: BLE001 - the other faults are to be played all the same
        traceback.print_exc()
        return failed(kind, seed, error)


def chosen(only: str) -> list[str]:
    """Names of the faults that contain one of these words; all without any. Raises ``ValueError`` if there is none."""
    words = [word.strip() for word in only.split(",") if word.strip()]
    names = [name for name in KINDS if not words or any(word in name for word in words)]
    if not names:
        raise ValueError(f"ONLY={only} names no fault; there are: {' '.join(KINDS)}")
    return names


def _seeds(environ: Mapping[str, str]) -> range:
    numbers = {name: environ.get(name) or default for name, default in (("SEED", "1"), ("SEEDS", "3"))}
    for name, text in numbers.items():
        if not (text.isascii() and text.isdecimal() and int(text) >= 1):
            raise ValueError(f"{name}={text} can't be used; give a whole number from 1")
    return range(int(numbers["SEED"]), int(numbers["SEED"]) + int(numbers["SEEDS"]))


def row(results: Sequence[Result]) -> str:
    """One fault's line of the table, over its seeds."""
    found = Counter(finding.kind for result in results for finding in result.findings)
    silent = [str(result.seed) for result in results if not result.happened]
    verdict = ", ".join(f"{times} {kind.upper()}" for kind, times in found.items()) or "sound"
    if silent:
        verdict += f", DID NOT HAPPEN with seed {' '.join(silent)}"
    if any(result.forgot for result in results):
        verdict += ", refuses until it is rebuilt"
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
