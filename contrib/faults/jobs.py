"""Several stages at once, each a process with servers of its own; a run goes to whichever is free."""

from __future__ import annotations

import multiprocessing
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from stack import MariaDB, RabbitMQ

from faults.kinds import KINDS
from faults.run import Result, failed, play
from faults.stage import Stage, opened_stage

_ENDS_WITHIN_S = 120.0
_PLAYS_WITHIN_S = 600.0
_processes = multiprocessing.get_context("spawn")


Player = Callable[[Connection, Path], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A fault, by its name, and a seed."""

    fault: str
    seed: int


def played(runs: Sequence[Run], jobs: int, record: Path, player: Player | None = None) -> Iterator[tuple[Run, Result]]:
    """Play all runs on so many stages; each with its result, in the order in which they come.

    A stage whose process ends takes the run that it was playing with it, as failed; the others go on. ``player`` is
    what each process does: receive runs and send results until the line is closed.
    """
    waiting = deque(runs)
    busy: dict[object, _StageProcess] = {}
    with ExitStack() as stages:
        free = [stages.enter_context(_StageProcess(player or play_runs, record)) for _ in range(min(jobs, len(runs)))]
        while busy or (free and waiting):
            while free and waiting:
                stage = free.pop()
                stage.take(waiting.popleft())
                busy[stage.line] = stage
            for stage in _done(busy):
                yield stage.run, stage.result()
                if stage.alive:
                    free.append(stage)
        for run in waiting:
            yield run, failed(run.fault, run.seed, RuntimeError("no stage is left to play it on"))


def _done(busy: dict[object, _StageProcess]) -> list[_StageProcess]:
    """Take out those whose run is over, at least one."""
    lines = wait([stage.line for stage in busy.values()], _PLAYS_WITHIN_S)
    if not lines:
        raise TimeoutError(f"not one run came to its end within {_PLAYS_WITHIN_S:g} s")
    return [busy.pop(line) for line in lines]


class _StageProcess:
    """One process with a stage, as the process that hands out the runs sees it."""

    def __init__(self, player: Player, record: Path) -> None:
        self.line, self._its_end = _processes.Pipe()
        self._process = _processes.Process(target=player, args=(self._its_end, record), name="stage")
        self.alive = True
        self.run: Run

    def take(self, run: Run) -> None:
        """Have it play this run next."""
        self.run = run
        with suppress(ConnectionError):  # it has ended: result() will say so
            self.line.send(run)

    def result(self) -> Result:
        """What the run that it took came to; waits for it."""
        try:
            result: Result = self.line.recv()
        except (EOFError, ConnectionError):
            self.alive = False
            return failed(self.run.fault, self.run.seed, RuntimeError("its stage has ended; the reason is above"))
        return result

    def __enter__(self) -> Self:
        self._process.start()
        self._its_end.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()  # which it takes as the end
        self._process.join(_ENDS_WITHIN_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


def play_runs(line: Connection, record: Path) -> None:
    """Set a stage, and play on it what comes until the line is closed."""
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="faults-stage-") as folder,
        MariaDB() as mariadb,
        RabbitMQ() as rabbit,
        opened_stage(Path(folder), mariadb, rabbit) as stage,
    ):
        for run in coming(line):
            line.send(_played(stage, run, record))


def coming(line: Connection) -> Iterator[Run]:
    """What is received until the line is closed."""
    with suppress(EOFError, ConnectionError):
        while True:
            yield line.recv()


def _played(stage: Stage, run: Run, record: Path) -> Result:
    try:
        return play(stage, KINDS[run.fault], run.seed, record)
    except Exception as error:  # noqa: BLE001 - the other faults are to be played all the same
        traceback.print_exc()
        return failed(run.fault, run.seed, error)
