"""A TCP line to Redis that can lose a reply, keep replies back, or bring a script call late."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from gate_client import Address
from stack.ports import HOST

_BLOCK = 65536
_LONGEST = 30.0
"""Seconds for which anything is kept back at most, so that no thread outlives the tests by much."""


class Wire:
    """Passes bytes both ways between whoever connects and ``target``, until it is told otherwise."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self._lock = threading.Lock()
        self._cuts = self._late = 0
        self._replies = threading.Event()
        self._calls = threading.Event()
        self._open: list[socket.socket] = []
        self.heal()

    @property
    def url(self) -> str:
        """Where it listens, as Redis."""
        return f"redis://{HOST}:{self._listener.getsockname()[1]}/0"

    # -- what can be done to it

    def lose_replies(self, times: int) -> None:
        """Break the line after so many script calls: each is made, and its reply never arrives."""
        self._cuts = times

    def hold_replies(self) -> None:
        """Keep all replies back."""
        self._replies.clear()

    def delay_calls(self, times: int) -> None:
        """Keep so many script calls back; they arrive when the line heals, whoever sent them has left by then."""
        self._calls.clear()
        self._late = times

    def heal(self) -> None:
        """Bring what was kept back, and pass on everything from now on."""
        self._cuts = self._late = 0
        self._calls.set()
        self._replies.set()

    # -- how

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.heal()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            _hang_up(end)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target, timeout=None)
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                doomed = threading.Event()
                threading.Thread(target=self._carry_calls, args=(near, far, doomed), daemon=True).start()
                threading.Thread(target=self._carry_replies, args=(far, near, doomed), daemon=True).start()

    def _carry_calls(self, near: socket.socket, far: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(_BLOCK):
                if b"EVAL" in data:
                    if self._take("_cuts"):
                        doomed.set()
                    if self._take("_late"):
                        self._calls.wait(_LONGEST)
                far.sendall(data)
        _hang_up(far)

    def _carry_replies(self, far: socket.socket, near: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(_BLOCK):
                if doomed.is_set():
                    break
                self._replies.wait(_LONGEST)
                near.sendall(data)
        _hang_up(near)

    def _take(self, name: str) -> bool:
        with self._lock:
            left: int = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
