"""What a siege came to, and its figures for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faults.check import KINDS, Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a siege came to."""

    orders: int
    """Accepted, and told to somebody."""
    requests: int
    seconds: float
    killed: Counter[str]
    unknown: int
    resolved: int
    resolved_s: float
    """Seconds from the end of the killing until everybody knew."""
    drained_s: float
    """Seconds from the end of the killing until outbox and queue were empty."""
    findings: Sequence[Finding]
    audit: Mapping[str, Any]
    """What ``seckill-sidecar audit --json`` says."""
    audit_code: int

    @property
    def sound(self) -> bool:
        return not self.findings and self.audit_code == 0 and self.audit.get("balanced") is True


def report(outcome: Outcome) -> str:
    """The figures, for people; the last line is the audit's JSON without its items."""
    found = Counter(finding.kind for finding in outcome.findings)
    audit = {name: value for name, value in outcome.audit.items() if name not in ("items", "examples")}
    kills = ", ".join(f"{name} {times}" for name, times in outcome.killed.most_common())
    return "\n".join(
        [
            f"accepted  {outcome.orders} orders in {outcome.seconds:.0f} s"
            f" ({outcome.orders / outcome.seconds:.0f} a second), {outcome.requests} answers",
            f"killed    {outcome.killed.total()}: {kills}",
            f"unknown   {outcome.resolved} of {outcome.unknown} outcomes resolved, in {outcome.resolved_s:.1f} s",
            f"drained   in {outcome.drained_s:.1f} s after the last start",
            f"checker   {', '.join(f'{found[kind]} {kind}' for kind in KINDS)}",
            *(f"          {finding}" for finding in outcome.findings[:20]),
            f"audit     exit {outcome.audit_code}",
            json.dumps(audit),
        ]
    )
