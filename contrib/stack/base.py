"""What all private servers have in common: start, stop, kill, pause, resume, restart."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from stack import guard
from stack.ports import HOST, free_port
from stack.wait import eventually

_LOG_TAIL = 2000
_BEFORE_ANOTHER_TRY = 3.0
"""Seconds: Erlang's name server does not come up in time on a machine that is starting too much at once."""


class StackError(RuntimeError):
    """A private server did not do what it was asked; the text ends with the last of its log."""


class NotInstalled(StackError):
    """The server's program is not on this machine. Run contrib/stack/install.sh."""


class Server(ABC):
    """One server on 127.0.0.1, in a folder of its own. Its port stays the same from one start to the next.

    stopped ──start──► running ──pause──► paused ──resume──► running
       ▲                  │                  │
       └──── stop, kill ──┴──────────────────┘

    Without ``folder`` it makes a temporary one, which goes when the server is closed.
    """

    name: ClassVar[str]
    starts_within: ClassVar[float] = 20.0
    stops_within: ClassVar[float] = 20.0
    first_tries: ClassVar[int] = 1
    """How often the first start is tried, each time on other ports: one that was free may be taken a moment later."""

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"stack-{self.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._has_run = False
        self.choose_ports()
        self.log = self.folder / f"{self.name}.log"
        self.pid = 0
        self._guard: subprocess.Popen[str] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, as ``socket`` takes it."""
        return HOST, self.port

    # -- what each server fills in ----------------------------------------------------------------

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, as the settings take it."""

    @abstractmethod
    def command(self) -> list[str]:
        """What to run, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready; may raise ``OSError`` instead of saying no."""

    def choose_ports(self) -> None:
        """Take free ports. They stay the same once the server has run."""
        self.port = free_port()

    def prepare(self) -> None:  # noqa: B027 (most need nothing)
        """Make what the server needs in its folder; called before every start."""

    def environment(self) -> dict[str, str]:
        """The environment variables that it runs with."""
        return dict(os.environ)

    # -- its life ---------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether its process exists, be it paused."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> Self:
        """Start it and return when it is ready; does nothing if it runs."""
        tries = 1 if self._has_run else self.first_tries
        while not self.running:
            tries -= 1
            self.prepare()
            self._launch()
            try:
                self._await_ready()
            except StackError:
                if not tries:
                    raise
                time.sleep(_BEFORE_ANOTHER_TRY)
                self.choose_ports()
        self._has_run = True
        return self

    def stop(self) -> None:
        """Ask it to end, and return when no process of it is left. One that won't end in time is killed."""
        if not self.running:
            return
        guard.signal_all(signal.SIGTERM, [self.pid])
        self.resume()
        try:
            self._await_end()
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all its processes; return when none is left."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._await_end()

    def pause(self) -> None:
        """SIGSTOP to all its processes: connections stay, nobody answers."""
        eventually(self._all_stopped, what=f"{self.name} stands still")

    def resume(self) -> None:
        """SIGCONT to all its processes."""
        guard.signal_all(signal.SIGCONT, self.processes())

    def restart(self) -> None:
        """Stop it and start it again, on the same port and with the same data."""
        self.stop()
        self.start()

    def heal(self) -> None:
        """Bring it back to running, whatever was done to it."""
        self.resume()
        self.start()

    def close(self) -> None:
        """End it for good. One with a temporary folder is killed, as it has nothing to save."""
        if not self._temporary:
            self.stop()
            return
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[int]:
        """Ids of all its processes, those that detached themselves too."""
        return list(guard.descendants(self._guard.pid)) if self._guard is not None and self.running else []

    def log_tail(self) -> str:
        """The last of what it wrote."""
        return self.log.read_text(errors="replace")[-_LOG_TAIL:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- how ----------------------------------------------------------------------------------------

    def _launch(self) -> None:
        """Run the command under a guard, in a session of its own, where a Ctrl-C doesn't reach it."""
        self.kill()  # lets go of the last one's pipes
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(self.log), *self.command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(),
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        with self._guard.stdout as said:
            self.pid = int(said.readline() or 0)

    def _await_ready(self) -> None:
        try:
            eventually(self._ready_or_gone, self.starts_within, f"{self.name} is ready")
        except TimeoutError as error:
            self.kill()
            raise StackError(f"{error}\n{self.log_tail()}") from error
        if not self.running:
            raise StackError(f"{self.name} ended at its start\n{self.log_tail()}")

    def _ready_or_gone(self) -> bool:
        try:
            return not self.running or self.answers()
        except OSError:
            return False

    def _await_end(self) -> None:
        assert self._guard is not None
        self._guard.wait(self.stops_within)
        assert self._guard.stdin is not None
        self._guard.stdin.close()

    def _all_stopped(self) -> bool:
        pids = self.processes()
        guard.signal_all(signal.SIGSTOP, pids)
        return all(state is None or state[0] in "TZ" for state in map(guard.status, pids))


def program(*candidates: str) -> str:
    """The first of these programs that is installed; names are looked up in PATH and the system folders."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    for candidate in candidates:
        if found := shutil.which(candidate, path=path):
            return found
    raise NotInstalled(f"{candidates[0]} is not installed; run contrib/stack/install.sh")
