"""What a Redis tells of itself before a sale. All that is written is one key, which is gone after a second."""

from __future__ import annotations

from typing import Any

from seckill_sidecar.adapters.ledger import scripts
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import STORE, Line
from seckill_sidecar.adapters.ledger.replies import read_info
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError
from seckill_sidecar.ports import LedgerVitals

_SECONDS = 5.0
_PINGS = 20
_PROBE_LIVES_MS = 1000


def examine(line: Line, keys: Keys, clock: Clock) -> LedgerVitals:
    """Ask everything. Raises ``StoreError`` if the server does not tell who it is; what else it refuses is told."""
    deadline = Deadline.after(_SECONDS, clock)
    info = read_info(line.ask("INFO", deadline=deadline))
    fsync, written, cluster = line.ask_all(
        [
            ("CONFIG", "GET", "appendfsync"),
            ("SET", keys.probe, "1", "PX", _PROBE_LIVES_MS),
            ("CLUSTER", "INFO"),
        ],
        deadline=deadline,
    )
    forbidden, no_script = _permitted(line, keys, deadline)
    seconds, ahead = _time(line, clock, deadline)
    return LedgerVitals(
        info=info,
        appendfsync="" if isinstance(fsync, StoreError) or not fsync else fsync[1].decode(),
        forbidden=forbidden,
        no_script=no_script,
        no_write=written.what if isinstance(written, StoreError) else "",
        nodes=_nodes(cluster),
        seconds=seconds,
        ahead=ahead,
    )


def _permitted(line: Line, keys: Keys, deadline: Deadline) -> tuple[tuple[str, ...], str]:
    try:
        missing = line.run(scripts.PERMITTED, [keys.index], (), deadline)
    except StoreError as error:
        return (), error.what
    return tuple(command.decode() for command in missing), ""


def _time(line: Line, clock: Clock, deadline: Deadline) -> tuple[float, float]:
    """How long an answer takes at its quickest, and by how much that one's time is ahead of ours."""
    quickest = (float("inf"), 0.0)
    for _ in range(_PINGS):
        began, wall = clock.monotonic(), clock.wall()
        try:
            seconds, microseconds = line.ask("TIME", deadline=deadline)
        except LedgerUntrusted as error:
            raise LedgerUntrusted(STORE, f"it does not tell the time: {error.what}") from error
        taken = clock.monotonic() - began
        theirs = int(seconds) + int(microseconds) / 1_000_000
        quickest = min(quickest, (taken, theirs - (wall + taken / 2)))
    return quickest


def _nodes(cluster: Any) -> int:
    if isinstance(cluster, StoreError):
        return 0
    told = read_info(cluster)
    return int(told.get("cluster_size", "0")) if told.get("cluster_state") == "ok" else 0
