"""Whether the replica that look-ups ask can answer: our schema, and nobody who writes there by mistake."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ports import DatabaseVitals

_REPLICA = Subject("replica")
_OFF = ("0", "OFF")


def judge(vitals: DatabaseVitals) -> Iterator[Finding]:
    """Everything about one replica. Whatever it lacks, look-ups are answered: by the database."""
    yield _REPLICA.ok("version", vitals.server)
    if vitals.schema:
        yield _REPLICA.fail(
            "schema", vitals.schema, "wait until it has caught up, or mend the replication; or name another replica"
        )
    else:
        yield _REPLICA.ok("schema", "the one of this program")
    if vitals.variables.get("read_only", "0") in _OFF:
        yield _REPLICA.warn(
            "read-only",
            "it takes writes: what is written there by mistake is told to buyers",
            "set read_only = 1 in its configuration, and at once: SET GLOBAL read_only = 1",
        )
    else:
        yield _REPLICA.ok("read-only", "on")
