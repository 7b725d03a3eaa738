"""What the audit found, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seckill_sidecar.ops.audit.books import Books

COUNTS = (
    "accepted", "in_outbox", "on_its_way", "in_database", "parked",
    "missing", "duplicated", "oversold", "unknown", "differing",
)  # fmt: skip
"""What is added up over all items. accepted = in_outbox + on_its_way + in_database + parked + missing."""

WRONG = ("missing", "duplicated", "oversold", "unknown", "differing")
"""What must be 0. Parked orders are safe: they wait for an operator."""


@dataclass(frozen=True, slots=True)
class Example:
    """One order of a kind, and what was seen of it."""

    order: str
    seen: str


@dataclass(frozen=True, slots=True)
class ItemReport:
    """One item. Counts are of orders, of the present epoch."""

    item: str
    epoch: int
    books: Books
    faults: Sequence[str]
    """What does not add up or can't be read, a sentence each."""
    accepted: int
    """All that the ledger knows or has numbered."""
    in_outbox: int
    on_its_way: int
    """In the ledger and nowhere else, while others were still arriving."""
    in_database: int
    parked: int
    missing: int
    duplicated: int
    """Orders beyond the first with the same id or number."""
    oversold: int
    """Units, not orders, beyond the total."""
    unknown: int
    """In another store, but not in the ledger."""
    differing: int
    """Of those in the database, the ones of which it says something else than the ledger."""

    @property
    def balanced(self) -> bool:
        return not self.faults and not any(getattr(self, kind) for kind in WRONG)


@dataclass(frozen=True, slots=True)
class Report:
    """All items that were audited."""

    items: Sequence[ItemReport]
    examples: Mapping[str, Sequence[Example]]
    """By kind, some orders of it."""

    @property
    def balanced(self) -> bool:
        return all(item.balanced for item in self.items)

    def total(self, kind: str) -> int:
        """A count, over all items."""
        return sum(getattr(item, kind) for item in self.items)


def as_json(report: Report) -> dict[str, Any]:
    """One JSON object: ``balanced``, the totals, the items, and some examples of each kind."""
    return {
        "balanced": report.balanced,
        **{kind: report.total(kind) for kind in COUNTS},
        "items": [_item_as_json(item) for item in report.items],
        "examples": {kind: [asdict(example) for example in found] for kind, found in report.examples.items()},
    }


def _item_as_json(item: ItemReport) -> dict[str, Any]:
    book = item.books.ledger
    ledger = {
        "total": book.after.total,
        "free": book.after.free,
        "held": book.after.held,
        "paid": book.after.paid,
        "held_by_orders": book.held,
        "paid_by_orders": book.paid,
    } if book else None  # fmt: skip
    return {
        "item": item.item,
        "epoch": item.epoch,
        "balanced": item.balanced,
        **{kind: getattr(item, kind) for kind in COUNTS},
        "faults": list(item.faults),
        "ledger": ledger,
        "database": [asdict(units) for units in item.books.database],
    }


def as_table(report: Report) -> str:
    """A line an item, then what is wrong, then the verdict."""
    lines = [*_aligned([_HEAD, *map(_row, report.items)]), *_remarks(report)]
    if not report.items:
        return "there are no items, neither in the ledger nor in the database"
    verdict = "balanced" if report.balanced else "NOT BALANCED"
    return "\n".join([*lines, "", verdict])


_HEAD = (
    "item",
    "epoch",
    "total",
    "free",
    "held",
    "paid",
    "db held",
    "db paid",
    *(kind.replace("_", " ") for kind in COUNTS),
)


def _row(item: ItemReport) -> tuple[str, ...]:
    view, present = (item.books.ledger.after if item.books.ledger else None), item.books.present
    units: tuple[int | None, ...] = (view.total, view.free, view.held, view.paid) if view else (None,) * 4
    units += (present.held, present.paid) if present else (None,) * 2
    numbers = ("-" if number is None else str(number) for number in units)
    return (item.item, str(item.epoch), *numbers, *(str(getattr(item, kind)) for kind in COUNTS))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *cells])


def _remarks(report: Report) -> Iterator[str]:
    for item in report.items:
        yield from (f"{item.item}: {fault}" for fault in item.faults)
    for kind, found in report.examples.items():
        for example in found:
            yield f"{kind.replace('_', ' ')}: {example.order} ({example.seen})"
