"""The integrator's SQL: one statement each, known names, nothing that would end our transaction."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import rule
from seckill_sidecar.settings.schema import STATEMENT_NAMES, Settings

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`)
    |(?P<comment>--(?:\s[^\n]*|$)|\#[^\n]*|/\*.*?\*/)
    |(?P<open>['"`]|/\*)
    |(?P<name>(?<![:\w]):[A-Za-z_]\w*)
    |(?P<end>;)
    |(?P<word>[^\s'"`;:#/-]+|.)""",
    re.DOTALL | re.VERBOSE,
)
_WITHIN_A_TRANSACTION = ("call", "delete", "insert", "replace", "update", "with")
_EVENTS = ("on_accepted", "on_paid", "on_cancelled", "on_expired")


@rule()
def statements_can_run_in_our_transaction(settings: Settings) -> Iterator[Finding]:
    for event in _EVENTS:
        for i, statement in enumerate(getattr(settings.writer, event)):
            for fault in _faults(statement):
                yield Finding(("writer", event, i), fault)


def _faults(statement: str) -> Iterator[str]:
    tokens = [(match.lastgroup, match[0]) for match in _TOKEN.finditer(statement)]
    tokens = [(kind, text) for kind, text in tokens if kind != "comment" and text.strip()]
    first = tokens[0][1].lower() if tokens else ""
    kinds = [kind for kind, _ in tokens]
    if "open" in kinds:
        yield "has a quote or comment that isn't closed; close it"
    elif not first:
        yield "is empty; write one SQL statement"
    elif first not in _WITHIN_A_TRANSACTION:
        allowed = ", ".join(_WITHIN_A_TRANSACTION)
        yield f"begins with {quoted(first)}, but it runs inside our transaction; begin with one of {allowed}"
    if "end" in kinds[:-1]:
        yield "is more than one statement; make each an element of its own"
    for name in dict.fromkeys(text[1:] for kind, text in tokens if kind == "name"):
        if name not in STATEMENT_NAMES:
            yield _unknown(name)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, STATEMENT_NAMES, n=1)
    meant = f"; did you mean :{near[0]}?" if near else "."
    known = ", ".join(f":{name}" for name in sorted(STATEMENT_NAMES))
    return f"asks for :{name}, which there isn't{meant} Known are {known}"
