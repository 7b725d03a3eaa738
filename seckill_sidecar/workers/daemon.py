"""The life of a process that works until it is told to stop, or to start anew with another configuration.

TERM, INT ──► stop: what is in hand is finished or given back, then the end
HUP ────────► is the configuration sound?  no ──► it is told why, and all stays as it is
                                           yes ─► the same stop, then this program again in the same process
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from seckill_sidecar.errors import Problem

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Daemon:
    """Answers the signals of this process, from the moment it is made. For the main thread."""

    def __init__(self, problems: Callable[[], Sequence[Problem]]) -> None:
        """``problems`` tells what is wrong with the configuration as it stands at that moment."""
        self.stop = threading.Event()
        """Set when the work has to end."""
        self._problems = problems
        self._told_to_end = False
        self._sound = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._reload)
        # Those that came while one program gave way to the next have waited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def begin_anew_if_asked(self, *words: str) -> None:
        """Once all is finished and closed: become ``seckill-sidecar`` with these words, if a reload has been asked for.

        It stays the same process for the service manager. What a signal says meanwhile, the next program hears.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if self._sound and not self._told_to_end:
            _log.info("reloading")
            # -P: what lies in the current folder is not to be taken for the program.
            command = [sys.executable, "-P", "-m", "seckill_sidecar", *words]
            os.execv(sys.executable, command)  # noqa: S606 - our own words, no shell
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _end(self, *_: object) -> None:
        self._told_to_end = True
        self.stop.set()

    def _reload(self, *_: object) -> None:
        # Not in the signal's handler, which may have come into the middle of anything. The process waits for it at its
        # end: one that is cut off with the log in its hands takes the interpreter down with it.
        threading.Thread(target=self._consider, name="reload", daemon=False).start()

    def _consider(self) -> None:
        if problems := self._problems():
            for problem in problems:
                _log.error("not reloaded, the last good configuration stays: %s", problem)
            return
        self._sound = True
        self.stop.set()
