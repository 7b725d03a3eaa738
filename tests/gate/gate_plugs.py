"""The processes of a site under test: the legacy site, and the gate in front of it in each of its plugs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import yaml
from gate_client import ask
from stack import Server
from stack.ports import HOST

SECRET = "a secret of sixteen characters, and more"
SERVER = str(Path(__file__).with_name("gate_server.py"))
COMMAND = (sys.executable, "-m", "seckill_sidecar")


class Program(Server):
    """A process that is ready once the legacy site's memory can be read through it."""

    name = "program"
    starts_within: ClassVar[float] = 40.0
    stops_within: ClassVar[float] = 40.0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "GATE_SECRET": SECRET, "PYTHONFAULTHANDLER": "1"}

    def answers(self) -> bool:
        return ask(self.address, "/_seen?word=nothing", method="GET").status == 200

    def said(self) -> str:
        """All that it wrote to standard error."""
        return self.log.read_text(errors="replace")


class Storefront(Program):
    """The legacy site by itself, for the sidecar to stand in front of."""

    name = "storefront"

    def command(self) -> list[str]:
        return [sys.executable, SERVER, "storefront", str(self.port)]


class Plug(Program):
    """The gate. Its configuration is written when it is made."""

    kind: ClassVar[str] = ""
    """What runs it in ``gate_server.py``, if that does."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.config = self.folder / "seckill.yaml"
        self.config.write_text(yaml.safe_dump(self.configured(settings)))

    def configured(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings as this plug needs them."""
        return settings


class Threads(Plug):
    """``SeckillMiddleware`` around the Flask site, in a threaded server."""

    name = "middleware-threads"
    kind = "threads"

    def command(self) -> list[str]:
        return [sys.executable, SERVER, self.kind, str(self.port), str(self.config)]


class Gevent(Threads):
    """The same under gevent's own server, everything patched."""

    name = "middleware-gevent"
    kind = "gevent"


class Sidecar(Plug):
    """``seckill-sidecar serve`` in front of the Flask site in a process of its own."""

    name = "sidecar"

    def configured(self, settings: dict[str, Any]) -> dict[str, Any]:
        return settings | {"serve": {"listen": f"{HOST}:{self.port}", "workers": 1} | settings.get("serve", {})}

    def command(self) -> list[str]:
        return [*COMMAND, "serve", "-c", str(self.config)]


PLUGS: dict[str, type[Plug]] = {plug.name: plug for plug in (Threads, Gevent, Sidecar)}
