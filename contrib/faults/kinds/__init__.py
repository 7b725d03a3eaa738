"""All faults by name, quick ones first."""

from __future__ import annotations

from faults.kinds import brokers, databases, disks, ledgers, processes
from faults.kinds.fault import Fault

_ALL: list[type[Fault]] = [*ledgers.KINDS, disks.DiskFull, *databases.KINDS, *processes.KINDS, *brokers.KINDS]

KINDS: dict[str, type[Fault]] = {kind.name: kind for kind in _ALL}
