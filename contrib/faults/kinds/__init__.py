"""All faults by name, quick ones first."""

from __future__ import annotations

from faults.kinds import brokers, databases, ledgers, processes
from faults.kinds.fault import Fault

KINDS: dict[str, type[Fault]] = {
    kind.name: kind for kind in (*ledgers.KINDS, *databases.KINDS, *processes.KINDS, *brokers.KINDS)
}
