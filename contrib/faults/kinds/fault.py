"""What every fault is: something that is done, undone, and can be shown to have happened."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from typing import ClassVar

from stack import Server

from faults.plan import Plan
from faults.stage import Stage


class Fault(ABC):
    """One fault in one run."""

    name: ClassVar[str]
    lasts: ClassVar[tuple[float, float]] = (1.0, 2.0)
    """Seconds between injecting and healing: from, to."""
    hold: ClassVar[float] = 900.0
    """How long an unpaid hold lives in its runs; a short one gives units back."""
    forgets: ClassVar[bool] = False
    """Whether it makes the ledger forget what was sold: then the item has to refuse until it is rebuilt."""

    slow: ClassVar[bool] = False
    """Whether injecting it takes seconds: then buyers wait meanwhile; all might be sold before it is there."""

    def __init__(self, stage: Stage, plan: Plan, chance: random.Random) -> None:
        self.stage = stage
        self.plan = plan
        self.chance = chance

    @classmethod
    def impossible(cls) -> str:
        """Why it can't be played on this machine; empty if it can."""
        return ""

    def duration(self) -> float:
        """Seconds for which this run's fault lasts."""
        return self.chance.uniform(*self.lasts)

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Before the sale opens."""

    @abstractmethod
    def inject(self) -> None:
        """Do it."""

    @abstractmethod
    def heal(self) -> None:
        """Undo it; the stack is whole when this returns."""

    @abstractmethod
    def happened(self) -> int:
        """How often it did happen, asked after the healing; 0 makes the run worthless."""


class Pausing(Fault):
    """SIGSTOP: connections stay, nobody answers. With every third seed, the first one too, for ten whole seconds."""

    lasts = (1.5, 5.0)
    longest: ClassVar[float] = 10.0

    @property
    @abstractmethod
    def victim(self) -> Server:
        """The server that stands still."""

    def duration(self) -> float:
        return self.longest if self.plan.seed % 3 == 1 else super().duration()

    def inject(self) -> None:
        self.victim.pause()
        self.paused = time.monotonic()

    def heal(self) -> None:
        self.stood = time.monotonic() - self.paused
        self.victim.resume()

    def happened(self) -> int:
        return int(self.stood >= self.lasts[0])


class Forgetting(Fault):
    """The ledger forgets; an operator makes it anew from the database."""

    forgets = True

    def heal(self) -> None:
        self.stage.rebuild(self.plan)


class Repeating(Fault):
    """A fault that is done again and again until it is healed."""

    every: ClassVar[float] = 0.2

    def inject(self) -> None:
        self.times = 0
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._repeat, name=self.name, daemon=True)
        self._thread.start()

    def heal(self) -> None:
        self._stop.set()
        self._thread.join(30)
        if self._error is not None:
            raise self._error

    def happened(self) -> int:
        return self.times

    @abstractmethod
    def again(self) -> int:
        """Do it once more; how many times that was."""

    def _repeat(self) -> None:
        try:
            while not self._stop.is_set():
                self.times += self.again()
                self._stop.wait(self.every)
        except BaseException as error:  # noqa: BLE001 - told by heal, in the thread that asks
            self._error = error
