"""Kills each process of the site at random moments, again and again, and starts it anew."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from stack import Server

from faults.stage import Stage

_ENDS_WITHIN_S = 180.0
"""RabbitMQ takes long to start on a busy machine."""


@dataclass(frozen=True, slots=True)
class Prey:
    """One server, and how it is hunted."""

    name: str
    server: Server
    lives: float
    """Seconds from one kill to the next, in the mean."""
    worker: str = ""
    """What its children are called, if mostly one of those is killed, which it has to replace by itself."""

    def kill(self, chance: random.Random) -> str:
        """SIGKILL, to all its processes or to one worker; the name of what died, empty if there was nothing."""
        if not self.worker or chance.random() < 0.3:
            self.server.kill()
            return self.name
        workers = [pid for pid in self.server.processes() if pid != self.server.pid]
        with suppress(IndexError, ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)
            return self.worker
        return ""


def prey_on(stage: Stage) -> list[Prey]:
    """Everything but the shop; what takes long to start lives longer."""
    return [
        Prey("sidecar", stage.sidecar, 5, worker="sidecar worker"),
        Prey("relay", stage.relay, 8),
        *(Prey(f"writer {no}", writer, 8) for no, writer in enumerate(stage.writers, 1)),
        Prey("Redis", stage.redis, 25),
        Prey("MariaDB", stage.mariadb, 30),
        Prey("RabbitMQ", stage.rabbit, 45),
    ]


class Hunt:
    """``with Hunt(prey, seed) as hunt:`` each dies within some seconds, and then by chance; at the end, all runs."""

    first = (1.0, 6.0)
    """Seconds until each is killed for the first time: from, to."""
    down = (0.1, 1.5)
    """Seconds for which it is gone: from, to."""

    def __init__(self, prey: Sequence[Prey], seed: int) -> None:
        self.killed: Counter[str] = Counter()
        self._prey = prey
        self._seed = seed
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(len(prey), thread_name_prefix="hunter")
        self._hunters: list[Future[None]] = []

    def got_all(self) -> bool:
        """Whether each has been killed once at least; raises what a hunter fell over."""
        for hunter in self._hunters:
            if hunter.done():
                hunter.result()
        return all(self.killed[name] for prey in self._prey for name in (prey.name, prey.worker) if name)

    def __enter__(self) -> Self:
        self._hunters = [self._pool.submit(self._hunt, prey) for prey in self._prey]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        try:
            for hunter in self._hunters:
                hunter.result(_ENDS_WITHIN_S)
        finally:
            self._pool.shutdown()

    def _hunt(self, prey: Prey) -> None:
        chance = random.Random(f"{prey.name} {self._seed}")
        wait = chance.uniform(*self.first)
        while not self._over.wait(wait):
            if died := prey.kill(chance):
                self.killed[died] += 1
            self._over.wait(chance.uniform(*self.down))
            prey.server.start()
            wait = chance.expovariate(1 / prey.lives)
