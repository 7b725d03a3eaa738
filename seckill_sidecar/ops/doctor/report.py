"""The findings, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from seckill_sidecar.ops.doctor.finding import Finding, Level

_CODES = {Level.OK: 0, Level.SKIPPED: 0, Level.WARN: 3, Level.FAIL: 1}


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level of all."""
    return max((finding.level for finding in findings), default=Level.OK)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 nothing to mend, 3 warnings only, 1 something fails."""
    return _CODES[worst(findings)]


def as_json(findings: Sequence[Finding]) -> str:
    """One object."""
    told = [
        {
            "level": finding.level.word,
            "subject": finding.subject,
            "check": finding.check,
            "says": finding.says,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    return json.dumps({"worst": worst(findings).word, "findings": told})


def as_text(findings: Sequence[Finding]) -> str:
    """A line each, and one more for what to do."""
    return "\n".join(_lines(findings))


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    subjects = max((len(finding.subject) for finding in findings), default=0)
    checks = max((len(finding.check) for finding in findings), default=0)
    indent = " " * (len("skipped") + 2 + subjects + 2 + checks + 2)
    for finding in findings:
        word = finding.level.word.upper() if finding.level is Level.FAIL else finding.level.word
        yield f"{word:<7}  {finding.subject:<{subjects}}  {finding.check:<{checks}}  {finding.says}"
        if finding.remedy:
            yield f"{indent}→ {finding.remedy}"
    counts = {level: sum(finding.level is level for finding in findings) for level in reversed(Level)}
    yield ", ".join(f"{count} {level.word}" for level, count in counts.items() if count)
