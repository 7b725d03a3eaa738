"""What the tests of the command line say: configure a site, run a command, start a daemon."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from stack import eventually
from stack.ports import HOST

from seckill_sidecar.cli import main
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Item, Order, Purchase
from seckill_sidecar.settings import load
from seckill_sidecar.wire.tokens import BUYER
from seckill_sidecar.wiring import Site

new_id = order_ids(SystemClock())

SECRET = "a secret of sixteen characters, and more"
COMMAND = (sys.executable, "-m", "seckill_sidecar")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Home:
    """A folder with one configuration."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "seckill.yaml"

    def configure(self, redis: str = "redis://127.0.0.1:1/0", **changes: Any) -> Self:
        """Write a sound configuration with these sections changed; nobody listens on its Redis by default."""
        stores = {"redis": redis, "broker": "none", "database": f"sqlite:///{self.folder}/orders.db"}
        self.settings = {
            "stores": stores | changes.pop("stores", {}),
            "keys": [{"id": "k", "secret": "${CLI_SECRET}"}],
            "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
            "routes": [{"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "on_accept": "json"}],
            "items": [{"sku": "kettle", "total": 5, "per_buyer": 2}],
            "timeouts": {"connect": "300ms", "ledger": "3s", "broker": "1s"},
            **changes,
        }
        self.config.write_text(yaml.safe_dump(self.settings, sort_keys=False))
        return self

    def run(self, *words: str, config: bool = True) -> Done:
        """Run a command in this process."""
        out, err = StringIO(), StringIO()
        given = ["-c", str(self.config)] if config else []
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = main([*words, *given])
            except SystemExit as end:  # argparse's way
                code = int(end.code or 0)
        return Done(code, out.getvalue(), err.getvalue())


def serve(home: Home, redis: str, **changes: Any) -> Done:
    """Run the sidecar in this process, so that it has to be one that can't begin."""
    home.configure(redis=redis, stores={"storefront": "http://127.0.0.1:1"}, **changes)
    return home.run("serve")


def expect_one_line(done: Done, code: int, *words: str) -> None:
    """It ended with this code, and said these words in one line."""
    assert done.code == code, done.err
    (line,) = done.err.splitlines()
    assert all(word in line for word in words), line


class Daemon:
    """``seckill-sidecar relay``, ``writer`` or ``serve`` as a process of its own, gone at the end."""

    def __init__(self, home: Home, name: str, log: Path | None = None) -> None:
        """``log`` is where its standard error goes, if not to a file of its own."""
        self._log = log or home.folder / f"{name}.log"
        self._command = [*COMMAND, name, "-c", str(home.config)]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # gunicorn's workers, too
        self._process.wait()

    def said(self) -> str:
        """All that it wrote."""
        return self._log.read_text(errors="replace")

    def says(self, text: str, within: float = 20.0) -> None:
        """Wait until this is in its log."""
        eventually(lambda: text in self.said() or not self.running, within, f"{self._command[3]} says {text!r}")
        assert text in self.said(), f"it ended: {self.said()}"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def end_by(self, number: signal.Signals) -> int:
        """Send a signal; its exit code."""
        self._process.send_signal(number)
        return self._process.wait(20)

    def terminate(self) -> int:
        """Ask it to end as systemd does; its exit code."""
        return self.end_by(signal.SIGTERM)


class Road:
    """A port that leads to a server, once it is built."""

    def __init__(self) -> None:
        with socket.create_server((HOST, 0)) as probe:
            self.port = probe.getsockname()[1]
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def build(self, target: tuple[str, int]) -> None:
        """Let connections through from now on."""
        self._listener = socket.create_server((HOST, self.port))
        threading.Thread(target=self._accept, args=(target,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for end in [*([self._listener] if self._listener else []), *self._open]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, target: tuple[str, int]) -> None:
        assert self._listener is not None
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(target)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


# -- a site as its processes see it ---------------------------------------------------------------------


def site_of(home: Home) -> Site:
    return Site(load(home.config, {"CLI_SECRET": "a secret of sixteen characters, and more"}))


def sell_one(site: Site) -> Order:
    """An order in the outbox."""
    deadline = Deadline.after(5, SystemClock())
    site.ledger.load(Item("kettle", 5), deadline)
    decision = site.ledger.reserve(Purchase(new_id("kettle"), "kettle", "alice", 1), deadline)
    assert decision.order is not None
    return decision.order


def ask(port: int, path: str, token: str = "") -> tuple[int, bytes]:
    """A POST to the sidecar."""
    connection = HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request("POST", path, headers={"Cookie": f"seckill_buyer={token}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def listening(port: int) -> bool:
    try:
        return ask(port, "/")[0] > 0
    except OSError:
        return False


def buy(home: Home, port: int, buyer: str) -> int:
    """The status that a buyer of a kettle is answered."""
    return ask(port, "/buy/kettle", site_of(home).keyring.sign(BUYER, buyer, SystemClock().wall() + 60))[0]
