"""A small flawless sale, and ways to plant a fault in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from demo.answers import Answer
from demo.books import Books, LedgerPage, Row
from demo.check import find_faults
from demo.plan import SKU, Attempt, Plan
from demo.play import Told

PLAN = Plan(requests=6, buyers=5, stock=3)


def order(no: int) -> str:
    return f"{SKU}~{no:026d}"


def row(no: int, buyer: str = "", item: str = SKU, quantity: int = 1) -> Row:
    return Row(order(no), item, buyer or f"buyer-{no}", quantity)


def told(no: int, buyer: str, answer: Answer, key: str | None = None) -> Told:
    return Told(Attempt(no, buyer, key), answer, seconds=0.01)


def won(no: int, order_no: int | None = None, key: str | None = None, source: str = "shop") -> Told:
    """Request ``no`` of buyer ``no``, who was told of an order: of that number, if no other is given."""
    return told(no, f"buyer-{no}", Answer("accepted", order=order(order_no or no), source=source), key)


def refused(no: int, verdict: str, buyer: str = "") -> Told:
    return told(no, buyer or f"buyer-{no}", Answer(verdict, source="gate"))


def flawless() -> Books:
    """Three units for buyers 1 to 3; the first asks again, two others find it sold out."""
    rows = [row(1), row(2), row(3)]
    answers = [won(1, key="k"), won(2), won(3), refused(4, "sold_out"), refused(5, "sold_out")]
    again = told(6, "buyer-1", Answer("replayed", order=order(1), source="gate"), "k")
    return Books([*answers, again], LedgerPage(rows, total=3, free=0), rows, frozenset(), rows)


def with_ledger(books: Books, rows: Iterable[Row], free: int = 0) -> Books:
    return replace(books, ledger=replace(books.ledger, rows=list(rows), free=free))


def faults(books: Books, plan: Plan = PLAN) -> dict[str, int]:
    """How many orders or units are wrong, by kind."""
    counts: dict[str, int] = {}
    for finding in find_faults(plan, books):
        counts[finding.kind] = counts.get(finding.kind, 0) + finding.count
    return counts
