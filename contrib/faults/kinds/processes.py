"""Faults of the site's own processes: killed at fault points, ended, reloaded, all at once; and a payment too late."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import ClassVar

from stack import eventually

from faults.kinds.fault import Fault, Repeating
from faults.stage import EXCHANGE, ORDERS_QUEUE, Program
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Settlement, State


class AtPoint(Fault):
    """A process is killed at a fault point: gunicorn starts another worker; relay and writer start when it heals."""

    point: ClassVar[str]
    lasts = (1.0, 2.0)
    times = (15, 50)
    """The times at which the point is deadly: from, to. Each of two workers comes by some 35 times a second."""

    def victims(self) -> list[Program]:
        return [self.stage.sidecar]

    def prepare(self) -> None:
        self.before = self.happened_so_far()
        for program in self.victims():
            program.rearm(f"{self.point}:kill@{self.chance.randint(*self.times)}")

    def inject(self) -> None:
        """It comes by itself."""
        self.await_it()

    def await_it(self) -> None:
        eventually(self.happened, within=15, what=f"a process comes by {self.point}")

    def heal(self) -> None:
        for program in self.victims():
            program.rearm("")

    def happened(self) -> int:
        return self.happened_so_far() - self.before

    def happened_so_far(self) -> int:
        return sum(program.hits() for program in self.victims())


class WriterAtPoint(AtPoint):
    """Both writers: what the first leaves unacknowledged, the second takes up, and dies as well."""

    times = (1, 3)
    """A short sale is a handful of batches for each, and a busy machine makes few and large ones of it."""

    def victims(self) -> list[Program]:
        return list(self.stage.writers)

    def prepare(self) -> None:
        super().prepare()
        # Else all might be sold by then, and be one batch.
        eventually(self._both_consume, within=60.0, what="both writers consume, with their fault point armed")

    def _both_consume(self) -> bool:
        both = self.stage.writers_consume()
        if self.happened():  # by an event of an earlier sale, a hold that has expired
            super().prepare()
            return False
        return both


class RelayAtPoint(AtPoint):
    """The relay has work only when the queue was unbound for a while."""

    times = (1, 12)

    def victims(self) -> list[Program]:
        return [self.stage.relay]

    def inject(self) -> None:
        with self.stage.channel() as channel:
            channel.queue_unbind(ORDERS_QUEUE, EXCHANGE, ORDERS_QUEUE)

    def heal(self) -> None:
        with self.stage.channel() as channel:
            channel.queue_bind(ORDERS_QUEUE, EXCHANGE, ORDERS_QUEUE)
        self.await_it()
        super().heal()


class ExpirerAtPoint(AtPoint):
    """The relay's other half: it expires holds."""

    hold = 1.0
    times = (5, 30)

    def victims(self) -> list[Program]:
        return [self.stage.relay]


def _kinds(base: type[AtPoint], who: str, points: tuple[str, ...]) -> list[type[Fault]]:
    return [
        type(point, (base,), {"name": f"{who}-killed-{point.replace('_', '-')}", "point": point}) for point in points
    ]


class Terminated(Fault):
    """SIGTERM under load, as a stop by systemd; started again."""

    name = "sidecar-terminated"
    lasts = (0.5, 1.0)

    def inject(self) -> None:
        self.stage.sidecar.stop()
        self.stopped = not self.stage.sidecar.running

    def heal(self) -> None:
        self.stage.sidecar.start()

    def happened(self) -> int:
        return int(self.stopped)


class Reloaded(Repeating):
    """SIGHUP under load: gunicorn exchanges its workers."""

    name = "sidecar-reloaded"
    lasts = (2.0, 4.0)
    every = 1.5

    def again(self) -> int:
        os.kill(self.stage.sidecar.pid, signal.SIGHUP)
        return 1


class AllKilled(Fault):
    """Everything at once, stores and programs; started again in any order."""

    name = "all-killed"
    lasts = (0.5, 1.0)

    def inject(self) -> None:
        self.everything = [*self.stage.stores, *self.stage.programs]
        for server in self.everything:
            server.kill()
        self.killed = sum(not server.running for server in self.everything)

    def heal(self) -> None:
        self.chance.shuffle(self.everything)
        # The sidecar is ready when it serves, whatever of the stores is there.
        for server in self.everything:
            server.start()

    def happened(self) -> int:
        return self.killed


class PaidTooLate(Repeating):
    """Payments that race against expiry: one wins, and the other is told."""

    name = "pay-against-expiry"
    hold = 1.0
    lasts = (4.0, 5.0)
    every = 0.01

    def inject(self) -> None:
        self.due: set[str] = set()
        self.outcomes: dict[str, Settlement] = {}
        self.ledger = self.stage.ledger()
        super().inject()

    def heal(self) -> None:
        super().heal()
        self.ledger.close()

    def again(self) -> int:
        """Pay some of the orders that are due, or were a moment ago: the relay looks every half second."""
        deadline = Deadline.after(2.0, SystemClock())
        self.due |= set(self.ledger.due(self.plan.sku, 500, deadline)) - self.outcomes.keys()
        for order_id in [one for one in self.due if self.chance.random() < 0.05]:
            self.outcomes[order_id] = self.ledger.settle(order_id, State.PAID, "paid", deadline).outcome
            self.due.discard(order_id)
        return 0

    def happened(self) -> int:
        """How many payments raced, if both sides won some; every payment that won must stand, and no other."""
        with closing(self.stage.ledger()) as ledger:
            states = {order.id: order.state for order in ledger.orders(self.plan.sku)}
        for order_id, outcome in self.outcomes.items():
            won = outcome is Settlement.SETTLED
            assert states[order_id] is (State.PAID if won else State.EXPIRED), f"{order_id}: payment {outcome}"
        both = {Settlement.SETTLED, Settlement.LATE} <= set(self.outcomes.values())
        return len(self.outcomes) if both else 0


KINDS: list[type[Fault]] = [
    Terminated,
    Reloaded,
    *_kinds(AtPoint, "worker", ("before_reserve", "after_reserve", "before_publish", "after_publish")),
    *_kinds(WriterAtPoint, "writer", ("before_commit", "after_commit", "before_ack", "after_ack")),
    *_kinds(RelayAtPoint, "relay", ("before_publish", "after_publish")),
    *_kinds(ExpirerAtPoint, "relay", ("before_settle", "after_settle")),
    PaidTooLate,
    AllKilled,
]
