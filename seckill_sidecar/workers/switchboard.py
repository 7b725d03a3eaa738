"""Follows what operators say of routes: read once a second in each process, never while a buyer waits.

If the ledger's server can't tell, what it said last stays. A process that begins reads once before it serves.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.mode import Stances
from seckill_sidecar.model import RouteStance
from seckill_sidecar.ports import Switches

_log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two readings, and for which one may take."""


class Switchboard:
    """One process's view of the switches."""

    def __init__(self, connect: Callable[[], Switches], stances: Stances, clock: Clock) -> None:
        """``connect`` opens a view of them; ``stances`` is told."""
        self._connect = connect
        self._stances = stances
        self._clock = clock
        self._switches: Switches | None = None
        self._troubled = False

    def start(self) -> None:
        """Read once, and go on in a thread; also in each process that is forked from this one. Never raises."""
        os.register_at_fork(after_in_child=self._run_here)
        self.look()
        self._run_here()

    def look(self) -> None:
        """Read, and treat the routes so. Never raises."""
        try:
            if self._switches is None:
                self._switches = self._connect()
            deadline = Deadline.after(EVERY, self._clock)
            changed = self._stances.override(self._switches.read(self._stances.routes, deadline))
        except StoreError as error:
            if not self._troubled:
                _log.warning("routes stay as they are, since it can't be read what operators say of them: %s", error)
            self._troubled = True
            return
        except Exception:  # noqa: BLE001 - a bug of ours must not end this for good
            _log.exception("reading what operators say of routes failed")
            return
        self._troubled = False
        for one in changed:
            _log.warning("route %s is now: %s (%s)", one.route, one.now, _by_whom(one))

    def _run_here(self) -> None:
        # A fork's parent keeps its thread and its connection to itself.
        self._switches = None
        threading.Thread(target=self._run, name="switchboard", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._clock.sleep(EVERY)
            self.look()


def _by_whom(stance: RouteStance) -> str:
    return "as configured" if stance.override is None else f"by {stance.override.by}"
