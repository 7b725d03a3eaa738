"""One site for the units: its YAML, its sockets, its commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from socket import create_server
from typing import Any

import yaml
from stack import free_port
from stack.ports import HOST
from unit_words import Places, Unit

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.wire.tokens import BUYER, Keyring, SigningKey

SECRET = "a secret of sixteen characters, and more"
TOKEN = "the operator's own sixteen characters"


class UnitSite:
    """A folder with a configuration, and a door that stays open as systemd's would."""

    def __init__(self, folder: Path, stores: dict[str, str], number: int) -> None:
        self.folder = folder
        self._places = Places(folder, folder / "state", folder / "run")
        self._stores = {**stores, "storefront": "http://127.0.0.1:1"}
        self._number = number
        self._open = ExitStack()
        self.door = self._open.enter_context(create_server((HOST, 0), backlog=512))
        self.port: int = self.door.getsockname()[1]
        self.operators_port = free_port()
        (folder / "credentials").mkdir()
        (folder / "credentials/seckill_key").write_text(SECRET)
        (folder / "credentials/seckill_key").chmod(0o400)
        self.environment = {"CREDENTIALS_DIRECTORY": str(folder / "credentials"), "OPERATOR_TOKEN": TOKEN}
        self._keyring = Keyring([SigningKey("k", SECRET.encode())])

    def configure(self, **changes: Any) -> None:
        """Write a sound configuration, with these sections changed."""
        names = {name: f"units.{self._number}.{name}" for name in ("exchange", "queue", "parked")}
        settings = {
            "stores": self._stores,
            "serve": {"listen": f"{HOST}:{self.port}", "workers": 2},
            "operator": {"listen": f"{HOST}:{self.operators_port}", "token": "${OPERATOR_TOKEN}"},
            "keys": [{"id": "k", "secret": "file:${CREDENTIALS_DIRECTORY}/seckill_key"}],
            "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
            "routes": [{"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "on_accept": "json"}],
            "items": [{"sku": "kettle", "total": 1_000_000}],
            "metrics": {"folder": str(self._places.runtime / "metrics")},
            "shield": {"enabled": True, "folder": str(self._places.runtime / "shield")},
            "timeouts": {"request": "20s", "ledger": "5s", "broker": "5s"},
            "broker": names,
            **changes,
        }
        (self.folder / "seckill.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))

    def spoil(self) -> None:
        """Break the configuration as a hasty hand would."""
        (self.folder / "seckill.yaml").write_text("serve:\n  workers: many\n")

    def unit(self, name: str) -> Unit:
        """A service of this site, with the socket if it is the sidecar."""
        sockets = [self.door] if name.startswith("seckill-sidecar") else []
        return Unit(name, self._places, self.environment, sockets)

    def token(self, buyer: str) -> str:
        return self._keyring.sign(BUYER, buyer, SystemClock().wall() + 600)

    def run(self, *words: str) -> str:
        """What a command prints; it has to succeed."""
        command = [sys.executable, "-m", "seckill_sidecar", *words, "-c", str(self.folder / "seckill.yaml")]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def audit(self) -> dict[str, Any]:
        """What ``audit --json`` finds, once all has arrived."""
        found: dict[str, Any] = json.loads(self.run("audit", "--json", "--patience", "20s"))
        return found

    def get(self, port: int, path: str) -> int:
        """The status of an answer."""
        connection = HTTPConnection(HOST, port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def close(self) -> None:
        self._open.close()
