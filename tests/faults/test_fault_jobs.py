"""Runs are handed out to several stages, and none is forgotten when a stage ends."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from pathlib import Path

from faults.jobs import Run, coming, played
from faults.run import Result

RUNS = [Run(fault, seed) for fault in ("calm", "storm") for seed in (1, 2, 3)]


def play_soundly(line: Connection, record: Path) -> None:
    """A stage that needs no servers."""
    for run in coming(line):
        (record / f"{run.fault}-{run.seed}").write_text(str(os.getpid()))
        line.send(Result(run.fault, run.seed, happened=1, accepted=1, unknown=0, resolved=0, drained_s=0.0))


def end_in_the_storm(line: Connection, record: Path) -> None:
    """A stage that the first storm tears down."""
    for run in coming(line):
        if run.fault == "storm":
            os._exit(1)
        line.send(Result(run.fault, run.seed, happened=1, accepted=1, unknown=0, resolved=0, drained_s=0.0))


def test_each_run_is_played_once_and_on_more_than_one_stage(tmp_path: Path) -> None:
    results = dict(played(RUNS, 2, tmp_path, play_soundly))
    assert {(result.fault, result.seed) for result in results.values()} == {(run.fault, run.seed) for run in RUNS}
    assert all(result.sound for result in results.values())
    assert len({path.read_text() for path in tmp_path.iterdir()} - {str(os.getpid())}) == 2


def test_there_are_no_more_stages_than_runs(tmp_path: Path) -> None:
    assert len(list(played(RUNS[:1], 4, tmp_path, play_soundly))) == 1


def test_a_run_whose_stage_ended_has_failed_and_the_others_are_told_of(tmp_path: Path) -> None:
    results = dict(played(RUNS, 2, tmp_path, end_in_the_storm))
    assert set(results) == set(RUNS)
    assert [run.fault for run in RUNS if not results[run].sound] == ["storm"] * 3
    assert {finding.kind for run in RUNS for finding in results[run].findings} == {"broken run"}
