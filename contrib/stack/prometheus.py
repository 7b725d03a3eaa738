"""A private Prometheus."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from stack.base import Server, StackError, program
from stack.ports import HOST


class Prometheus(Server):
    """prometheus with a configuration of the caller's. Relative paths in it start at ``folder``."""

    name = "prometheus"

    def __init__(self, config: str, folder: Path | None = None) -> None:
        super().__init__(folder)
        (self.folder / "prometheus.yml").write_text(config)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        return [
            program("prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={HOST}:{self.port}",
        ]

    def answers(self) -> bool:
        return self._get("/-/ready")[0] == 200

    def ask(self, what: str, **arguments: str) -> Any:
        """The data that ``/api/v1/<what>`` answers with. Raises ``StackError`` with its words if it refuses."""
        status, text = self._get(f"/api/v1/{what}?{urlencode(arguments)}")
        if status != 200:
            raise StackError(f"prometheus answers {what} {arguments} with {status}: {text}")
        return json.loads(text)["data"]

    def query(self, expression: str) -> list[Any]:
        """What an expression finds now: for a vector, a ``metric`` and a ``value`` each."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def _get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()
