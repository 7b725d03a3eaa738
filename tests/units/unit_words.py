"""What the tests of the units say: start, reload, stop and restart a process as systemd would by its shipped unit."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from stack import eventually
from unit_user import ServiceUser

SYSTEMD = Path(__file__).parents[2] / "systemd"
PROGRAM = "/opt/seckill/bin/seckill-sidecar"
CONFIGS = "/etc/seckill/"
OURS = f"{sys.executable} -m seckill_sidecar"
_WITHIN_S = 90.0  # as long as systemd itself waits for a start

# systemd hands sockets over from descriptor 3 on, and says for which process they are.
_LAUNCH = """
import os, sys
count = int(sys.argv[1])
spare = [os.dup(int(number)) for number in sys.argv[2:2 + count]]
for number, descriptor in enumerate(spare):
    os.dup2(os.dup(descriptor), 3 + number)
if count:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


@dataclass(frozen=True, slots=True)
class Places:
    """What stands for the folders that a unit knows."""

    settings: Path
    """``/etc/seckill``: root's."""
    state: Path
    """``/var/lib/seckill``: the user's."""
    runtime: Path
    """``/run/seckill``: the user's."""


class Unit:
    """One service of the folder ``systemd``, or another text of one, run without systemd: its command lines, as its
    user, with nothing in the environment but what systemd and the unit's files put there. Ends with its block."""

    def __init__(
        self,
        name: str,
        places: Places,
        environment: dict[str, str],
        sockets: Sequence[socket.socket] = (),
        text: str | None = None,
    ):
        """``environment`` is what the unit's files say; ``sockets`` are what a ``.socket`` unit has opened."""
        self._text = (SYSTEMD / name).read_text(encoding="utf-8") if text is None else text
        self._places = places
        self._sockets = sockets
        self._log = places.settings / f"{name}.log"
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(os.fspath(places.settings / f"{name}.notify"))
        os.chmod(self._told.getsockname(), 0o777)  # as systemd's own
        self._told.setblocking(False)
        self._user = ServiceUser(self._text)
        self._environment = {**self._user.environment, **environment, "NOTIFY_SOCKET": self._told.getsockname()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """As ``systemctl start``: the process, and its READY=1."""
        (command,) = self._commands("ExecStart")
        descriptors = [opened.fileno() for opened in self._sockets]
        launch = [sys.executable, "-c", _LAUNCH, str(len(descriptors)), *map(str, descriptors)]
        self._user.owns(self._places.state, self._places.runtime)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._user.prefix, *launch, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._places.state,
                start_new_session=True,
                pass_fds=descriptors,
                umask=self._umask,
            )
        self.is_told("READY=1")

    def reload(self) -> bool:
        """As ``systemctl reload``: False if it was refused; else once the new program, or a new worker, is ready."""
        self._heard()
        for command in self._commands("ExecReload"):
            if self._run([str(self.pid) if word == "$MAINPID" else word for word in command]).returncode:
                return False
        self.is_told("READY=1")
        return True

    def stop(self) -> int:
        """As ``systemctl stop``; the exit code. It has to end within the unit's own time."""
        process = self._main()
        process.terminate()
        (seconds,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", self._text)
        return process.wait(int(seconds))

    def restart(self) -> None:
        """As ``systemctl restart``; its sockets stay open."""
        assert self.stop() == 0, self.said()
        self._heard()
        self.start()

    def hang_up(self) -> None:
        """HUP alone, from somebody who did not ask the check."""
        self._main().send_signal(signal.SIGHUP)

    def is_told(self, message: str) -> None:
        """Wait until systemd is told this."""

        def heard() -> bool:
            assert self._main().poll() is None, f"it ended: {self.said()}"
            return message in self._heard()

        eventually(heard, _WITHIN_S, f"systemd hears {message}")

    def says(self, text: str) -> None:
        """Wait until this is in its log."""
        eventually(lambda: text in self.said(), _WITHIN_S, f"it says {text!r}")

    def said(self) -> str:
        """All that it wrote."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._main().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # gunicorn's workers, too
            self._process.wait()
        self._told.close()

    def _main(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _heard(self) -> list[str]:
        """What systemd was told since the last time."""
        heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(self._told.recv(4096).decode())
        return heard

    @property
    def _umask(self) -> int:
        (mask,) = re.findall(r"(?m)^UMask=(\d+)$", self._text)
        return int(mask, 8)

    def _commands(self, setting: str) -> list[list[str]]:
        found = re.findall(rf"(?m)^{setting}=(.*)$", self._text)
        return [
            shlex.split(line.replace(PROGRAM, OURS).replace(CONFIGS, f"{self._places.settings}/")) for line in found
        ]

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._user.prefix, *command],
            env=self._environment,
            cwd=self._places.state,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
