"""The result as a table for people and as one line of JSON for programs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from demo.answers import ACCEPTED, REPLAYED
from demo.books import Books, Row
from demo.check import DUPLICATED, LOST, MISMATCH, OVERSOLD, Finding
from demo.plan import SKU, Plan
from demo.play import Told

SHOWN = 15


@dataclass(frozen=True, slots=True)
class Result:
    """One sale that was played and compared."""

    plan: Plan
    books: Books
    findings: Sequence[Finding]
    wall_s: float

    @property
    def flawless(self) -> bool:
        return not self.findings

    def count(self, kind: str) -> int:
        """Orders or units that the findings of one kind are about."""
        return sum(finding.count for finding in self.findings if finding.kind == kind)

    def refused(self) -> Counter[str]:
        """Refusals by verdict."""
        answers = (told.answer for told in self.books.told)
        return Counter(answer.verdict for answer in answers if not answer.won and not answer.fault)


def json_line(result: Result) -> str:
    """The sale as one JSON object."""
    books = result.books
    return json.dumps(
        {
            "requests": len(books.told),
            "stock": result.plan.stock,
            "accepted": len({told.answer.order for told in books.told if told.answer.won}),
            "refused": dict(sorted(result.refused().items())),
            "errors": result.count(MISMATCH),
            "written": len({row.order for row in books.database if row.item == SKU}),
            "lost": result.count(LOST),
            "duplicated": result.count(DUPLICATED),
            "oversold": result.count(OVERSOLD),
            "wall_s": round(result.wall_s, 3),
            "requests_per_s": round(len(books.told) / result.wall_s, 1),
            "stack": result.plan.stack,
        }
    )


def table(result: Result) -> str:
    """The sale for people: what was answered how fast, what each account holds, and where they differ."""
    plan = result.plan
    title = (
        f"{plan.requests:,} requests from {plan.buyers:,} buyers for {plan.stock:,} units, "
        f"{plan.connections} at a time, seed {plan.seed}, {plan.stack} stack: {result.wall_s:.1f} s"
    )
    parts = ([title], _answers(result.books.told), _accounts(result.books), _differences(result.findings))
    return "\n\n".join("\n".join(part) for part in parts)


def _answers(told: Iterable[Told]) -> Iterator[str]:
    times: dict[str, list[float]] = defaultdict(list)
    seen: set[str] = set()
    for one in told:
        times[_name(one, seen)].append(one.seconds)
        seen.add(one.answer.order)
    yield f"  {'answer':<16}{'times':>8}{'p50':>10}{'p95':>10}{'p99':>10}{'slowest':>10}"
    for name, seconds in sorted(times.items(), key=lambda entry: -len(entry[1])):
        ranks = "".join(f"{_percentile(seconds, share) * 1000:>7.0f} ms" for share in (0.5, 0.95, 0.99, 1.0))
        yield f"  {name:<16}{len(seconds):>8,}{ranks}"


def _name(told: Told, seen: set[str]) -> str:
    """An order that was told before is a replay, whoever says it: the shop's page can't tell."""
    if told.answer.fault:
        return "error"
    if told.answer.won:
        return REPLAYED if told.answer.order in seen else ACCEPTED
    return told.answer.verdict


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _accounts(books: Books) -> Iterator[str]:
    told = {
        one.answer.order: Row(one.answer.order, SKU, one.attempt.buyer, one.attempt.quantity)
        for one in books.told
        if one.answer.won
    }
    unknown = sum(one.polled for one in books.told)
    yield f"  {'account':<16}{'orders':>8}{'units':>10}"
    yield _account("told to buyers", told.values(), f"{unknown:,} outcomes unknown at first" if unknown else "")
    yield _account("ledger", books.ledger.rows, f"{books.ledger.free:,} of {books.ledger.total:,} units free")
    yield _account("database", books.database, f"{len(books.parked):,} parked")
    yield _account("shop", books.shop)


def _account(name: str, rows: Iterable[Row], note: str = "") -> str:
    listed = list(rows)
    return f"  {name:<16}{len(listed):>8,}{sum(row.quantity for row in listed):>10,}   {note}".rstrip()


def _differences(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "  Compared order by order: nothing lost, nothing twice, nothing oversold, no answer untrue."
        return
    yield f"  {len(findings):,} differences:"
    for finding in findings[:SHOWN]:
        yield f"  {finding.kind:<11}{finding.what}"
    if len(findings) > SHOWN:
        yield f"  … and {len(findings) - SHOWN:,} more"
