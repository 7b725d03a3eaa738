"""No counter ever goes back, whatever happens to the workers in the middle of a sale: rates and alarms rest on that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from itertools import count

import pytest
from metrics_site import Samples, Sidecar
from stack import eventually

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item

SKU = "sneaker"
ACCEPTED = ("seckill_decisions_total", (SKU, "accepted"))
COUNTED = ("_total", "_count", "_sum", "_bucket")


@pytest.fixture
def sidecar(redis_url: str) -> Iterator[Sidecar]:
    with Sidecar(redis_url) as sidecar, closing(sidecar.site.ledger), closing(sidecar.site.orders):
        sidecar.site.ledger.load(Item(SKU, 1_000_000), Deadline.after(5, SystemClock()))
        yield sidecar


class Crowd:
    """Buys without pause, a buyer each time, whether it is answered or not."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.accepted = 0
        self._sidecar = sidecar
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._buy)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _buy(self) -> None:
        for number in count():
            if self._over.is_set():
                return
            with suppress(OSError, HTTPException):  # its worker was killed
                self.accepted += self._sidecar.buy(SKU, f"buyer-{number}") == 201


class Witness:
    """Reads the figures again and again, and compares each time."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self.seen: Samples = {}

    def looks(self) -> bool:
        """Look once; whether the sidecar answered."""
        try:
            now = self._sidecar.samples()
        except (OSError, HTTPException):
            return False
        counters = {name: value for name, value in now.items() if name[0].endswith(COUNTED)}
        assert {name: value for name, value in self.seen.items() if counters.get(name, -1.0) < value} == {}
        self.seen = counters
        return True

    def follows(self, until: Callable[[], bool], what: str) -> None:
        """Look again and again until then, and once more."""
        eventually(lambda: self.looks() and until(), within=120, what=what)
        eventually(self.looks)

    def follows_the_sale(self) -> None:
        """Until ten more were accepted."""
        enough = self.seen.get(ACCEPTED, 0.0) + 10
        self.follows(lambda: self.seen.get(ACCEPTED, 0.0) >= enough, "the sale goes on")


def replaced(sidecar: Sidecar, before: set[int]) -> bool:
    """Whether none of these workers is left, and as many are there."""
    now = set(sidecar.workers())
    return not now & before and len(now) == len(before)


def test_counters_only_grow_while_workers_are_killed_and_reloaded_in_a_sale(sidecar: Sidecar) -> None:
    witness = Witness(sidecar)
    with Crowd(sidecar) as crowd:
        witness.follows_the_sale()
        for harm in (kill_workers, reload, kill_workers):
            before = set(sidecar.workers())
            harm(sidecar)
            witness.follows(lambda before=before: replaced(sidecar, before), f"other workers after {harm.__name__}")
            witness.follows_the_sale()
    eventually(witness.looks)
    # Not from the figures: a ledger that does not answer within its 500 ms is missing there.
    item = sidecar.site.ledger.item(SKU, Deadline.after(20, SystemClock()))
    assert item is not None
    # A worker may be killed after its script and before it counts, or after it counts and before it answers.
    assert crowd.accepted <= witness.seen[ACCEPTED] <= item.held


def kill_workers(sidecar: Sidecar) -> None:
    for pid in sidecar.workers():
        os.kill(pid, signal.SIGKILL)


def reload(sidecar: Sidecar) -> None:
    os.kill(sidecar.pid, signal.SIGHUP)


def test_counters_go_on_after_the_sidecar_was_killed_whole(sidecar: Sidecar) -> None:
    witness = Witness(sidecar)
    with Crowd(sidecar):
        witness.follows_the_sale()
        sidecar.kill()
        sidecar.start()
        witness.follows_the_sale()
