"""A site in which every figure is told: sidecar and writer on all stores, with a shield, and something gone wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar

import yaml
from metrics_site import TOKEN, Sidecar
from stack import Server
from stack.ports import HOST

NOBODYS = "sneaker~00000000000000000000000000"
"""An order id that no order has."""

_TROUBLE = """
import sys
from pathlib import Path
from seckill_sidecar.observers.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), "writer")
metrics.violated("sneaker")
metrics.breaker("storefront", "closed", "open")
print("told", flush=True)
sys.stdin.read()
"""


class WholeSidecar(Sidecar):
    """The sidecar with a broker and a shield."""

    def __init__(self, redis_url: str, rabbit_url: str) -> None:
        super().__init__(redis_url)
        settings = yaml.safe_load(self.config.read_text())
        settings["stores"]["broker"] = rabbit_url
        settings["broker"] = {name: f"{self.folder.name}.{name}" for name in ("exchange", "queue", "parked")}
        settings["shield"] = {"enabled": True, "folder": str(self.folder / "shield")}
        self.config.write_text(yaml.safe_dump(settings))

    def command_line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", *words, "-c", str(self.config)]

    def pay(self, order_id: str) -> int:
        """Tell the operator's address of a payment; its status."""
        connection = HTTPConnection(HOST, self.operator_port, timeout=30)
        try:
            connection.request("POST", f"/orders/{order_id}/paid", headers={"Authorization": f"Bearer {TOKEN}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def run(self, *words: str) -> str:
        """What a command of the program prints; it has to succeed."""
        done = subprocess.run(
            self.command_line(*words), env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Writer(Server):
    """``seckill-sidecar writer`` of a sidecar's site."""

    name = "writer"
    starts_within: ClassVar[float] = 40.0

    def __init__(self, sidecar: WholeSidecar) -> None:
        super().__init__()
        self._sidecar = sidecar

    @property
    def url(self) -> str:
        return self._sidecar.url

    def environment(self) -> dict[str, str]:
        return self._sidecar.environment()

    def command(self) -> list[str]:
        return self._sidecar.command_line("writer")

    def answers(self) -> bool:
        return True


class Trouble:
    """A process that lives and has counted what should never be."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TROUBLE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ),
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "told\n"

    def end(self) -> None:
        """Let it end, and wait until it has."""
        self._process.communicate()
