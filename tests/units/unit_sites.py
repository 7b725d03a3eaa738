"""Several shops on one machine: laid out by ``install --site``, their templates run as instances."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import yaml
from unit_words import PROGRAM, Places, Unit

from seckill_sidecar.cli import main
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.ops.install import template_pieces
from seckill_sidecar.wire.tokens import BUYER, Keyring, SigningKey

SERVICES = ("seckill-sidecar@.service", "seckill-relay@.service", "seckill-writer-1@.service")
TEMPLATES = {Path(piece.place).name: piece.text for piece in template_pieces(PROGRAM, writers=2)}


class Door:
    """The UNIX socket of a site, as its ``.socket`` unit opens it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True)
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(512)


class Connection(HTTPConnection):
    """To a door."""

    def __init__(self, door: Door) -> None:
        super().__init__("localhost", timeout=60)
        self._path = str(door.path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Shop:
    """One of the sites, on the stores of all; ``root`` stands for ``/``."""

    def __init__(self, name: str, root: Path, stores: dict[str, str]) -> None:
        self.name = name
        assert main(["install", "--root", str(root), "--site", name]) == 0
        self._folder = root / "etc/seckill"
        self._places = Places(self._folder, root / "var/lib/seckill", root / "run/seckill")
        self._key = f"the key of {name}, of sixteen characters and more"
        self._write_env()
        self._configure(root, stores)
        self.door = Door(root / f"run/seckill/{name}/sidecar.sock")

    def _write_env(self) -> None:
        """Give every variable that the file names a value."""
        file = self._folder / f"{self.name}.env"
        names = [line.removesuffix("=") for line in file.read_text().splitlines() if not line.startswith("#")]
        self.environment = dict.fromkeys(names, "unused") | {"SECKILL_KEY": self._key}

    def _configure(self, root: Path, stores: dict[str, str]) -> None:
        """Put the stores of the test, and folders below the root, into the YAML as it was laid out."""
        file = self._folder / f"{self.name}.yaml"
        settings: dict[str, Any] = yaml.safe_load(file.read_text().replace("/run/seckill/", f"{root}/run/seckill/"))
        settings = {section: value for section, value in settings.items() if value is not None}
        settings["stores"] = {
            **stores,
            "database": f"{stores['database']}{self.name}",
            "storefront": "http://127.0.0.1:1",
        }
        settings["routes"][0]["on_accept"] = "json"
        settings["items"] = [{"sku": "kettle", "total": 10}]
        settings["timeouts"] = {"request": "20s", "ledger": "5s", "broker": "5s"}
        file.write_text(yaml.safe_dump(settings, sort_keys=False))

    def units(self) -> list[Unit]:
        """Its services, not running yet."""
        return [self._unit(name) for name in SERVICES]

    def _unit(self, template: str) -> Unit:
        sockets = [self.door.socket] if template.startswith("seckill-sidecar") else []
        text = TEMPLATES[template].replace("%i", self.name)
        return Unit(template.replace("@", f"@{self.name}"), self._places, self.environment, sockets, text)

    def run(self, *words: str) -> str:
        """What a command prints; it has to succeed."""
        command = [sys.executable, "-m", "seckill_sidecar", *words, "-c", str(self._folder / f"{self.name}.yaml")]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def spoil(self) -> None:
        """Break the configuration as a hasty hand would."""
        (self._folder / f"{self.name}.yaml").write_text("serve:\n  workers: many\n")

    def buy(self, buyer: str) -> tuple[int, str]:
        """The status, and the order's id if there is one."""
        token = Keyring([SigningKey("1", self._key.encode())]).sign(BUYER, buyer, SystemClock().wall() + 600)
        connection = Connection(self.door)
        try:
            connection.request("POST", "/buy/kettle", headers={"Cookie": f"seckill_buyer={token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()).get("order", "")
        finally:
            connection.close()

    def audit(self) -> dict[str, Any]:
        """What ``audit --json`` finds, once all has arrived."""
        found: dict[str, Any] = json.loads(self.run("audit", "--json", "--patience", "20s"))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.door.socket.close()
