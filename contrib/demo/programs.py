"""The programs of one site, run as their owner runs them: the shop, and the sidecar's processes by command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from stack import Server

from demo.line import BrokenLine, Line
from demo.site import Home
from demo.trouble import DemoFailed

CONTRIB = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "seckill_sidecar")
COMMAND_WITHIN_S = 60.0


class Program(Server):
    """One of the site's own programs; the site's configuration file is written before it starts."""

    stops_within: ClassVar[float] = 45.0

    def __init__(self, home: Home, no: int = 1) -> None:
        super().__init__(home.folder / f"{self.name}-{no}")
        self.home = home

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def environment(self) -> dict[str, str]:
        return super().environment() | {"SECKILL_SECRET": self.home.secret.value}

    def command(self) -> list[str]:
        return [*COMMAND, self.name, "-c", str(self.home.config)]


class OldShop(Program):
    """The legacy shop."""

    name = "shop"

    def command(self) -> list[str]:
        listen = f"{self.address[0]}:{self.address[1]}"
        words = [str(CONTRIB / "shop"), "--listen", listen, "--data", str(self.folder), "--key", self.home.secret.key]
        return [sys.executable, *words]

    def answers(self) -> bool:
        return _serves_a_page(self.address)


class Sidecar(Program):
    """``seckill-sidecar serve``: ready once a page of the shop comes through it."""

    name = "serve"
    starts_within: ClassVar[float] = 60.0

    def answers(self) -> bool:
        return _serves_a_page(self.address)


class Worker(Program):
    """A program that listens nowhere."""

    @property
    def url(self) -> str:
        return "(listens nowhere)"

    def answers(self) -> bool:
        return True


class Relay(Worker):
    """``seckill-sidecar relay``: ready once the file ``shows`` is there, if one is given."""

    name = "relay"

    def __init__(self, home: Home, shows: Path | None = None) -> None:
        super().__init__(home)
        self.shows = shows

    def answers(self) -> bool:
        return self.shows is None or self.shows.exists()


class Writer(Worker):
    """``seckill-sidecar writer``."""

    name = "writer"


def run_command(home: Home, command: str, *words: str) -> None:
    """Run one of the commands that end, such as ``migrate``; raises ``DemoFailed`` if it did not do it."""
    try:
        done = subprocess.run(
            [*COMMAND, command, "-c", str(home.config), *words],
            env={**os.environ, "SECKILL_SECRET": home.secret.value},
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"{command} did not end within {COMMAND_WITHIN_S:.0f} s", "is its store busy?") from error
    if done.returncode != 0:
        raise DemoFailed(f"{command} exited with {done.returncode}", "its own words are above", done.stderr)


def expect_running(servers: Iterable[Server]) -> None:
    """Raise ``DemoFailed`` with the end of its log if one of them has ended by itself."""
    for server in servers:
        if not server.running:
            remedy = "the end of its log is above" if server.log_tail() else "it left no word in its log"
            raise DemoFailed(f"{server.name} ended by itself", remedy, server.log_tail())


def _serves_a_page(address: tuple[str, int]) -> bool:
    line = Line(address, timeout=5.0)
    try:
        return line.ask("GET", "/").status == 200
    except BrokenLine:
        return False
    finally:
        line.close()
