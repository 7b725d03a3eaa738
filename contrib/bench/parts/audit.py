"""``seckill-sidecar audit`` over a million orders, ``rebuild`` of a hundred thousand: seconds and memory."""

from __future__ import annotations

from bench import audit
from bench.figures import NotSound, Told

AUDITED, REBUILT = 1_000_000, 100_000


def measure(rounds: int) -> Told:  # noqa: ARG001 - once: it takes minutes
    """Once each, with MariaDB."""
    told = Told()
    for orders, rebuilds in ((AUDITED, False), (REBUILT, True)):
        found = audit.measure(orders, "mariadb", rebuilds)
        if not found["balanced"]:
            raise NotSound(f"the books are not balanced: {found}")
        for figure in ("audit_s", "audit_rss_mb", "rebuild_s", "rebuild_rss_mb"):
            if figure in found:
                told.measured(f"{figure} of {orders:,} orders", [float(str(found[figure]))], "")
        if rebuilds:
            told.figures["rebuild_s"] = float(str(found["rebuild_s"]))
        else:
            told.figures["audit_rss_mb"] = float(str(found["audit_rss_mb"]))
    return told
