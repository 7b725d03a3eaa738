"""The matrix's checker finds each lie that is planted, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from faults.books import Books, Row
from faults.check import DUPLICATED, FALSE, LOST, OVERSOLD, UNRESOLVED, Case, check
from faults.history import BROKEN, NEVER, ORDER, REFUSED, STRANGE, UNKNOWN, Attempt, Told

TOTAL = 5


def attempt(no: int, quantity: int = 1) -> Attempt:
    return Attempt(no, f"buyer-{no}", f"key-{no}", quantity)


def told(no: int, meaning: str, **more: object) -> Told:
    """An answer to the attempt of that number, sent in its own second."""
    usual = {"sent_ms": no * 1000, "got_ms": no * 1000 + 10}
    return Told(attempt(no), meaning=meaning, **{**usual, **more})  # type: ignore[arg-type]


def row(no: int, **more: object) -> Row:
    usual = Row(f"sku~{no}", f"buyer-{no}", 1, epoch=1, seq=no, state="held", at_ms=no * 1000 + 5)
    return replace(usual, **more)


def honest() -> Case:
    """Five units sold to five buyers; one asked twice, one heard of it by polling, the sixth came too late."""
    rows = [row(no) for no in range(1, 6)]
    history = [told(no, ORDER, verdict="accepted", order=f"sku~{no}") for no in (1, 2, 3)]
    history += [
        told(4, BROKEN),
        told(4, ORDER, verdict="replayed", order="sku~4", sent_ms=9000, got_ms=9010),
        told(5, UNKNOWN, verdict="unavailable", order="sku~5", poll="/5"),
        told(5, ORDER, order="sku~5", poll="/5", polled=True, sent_ms=9000, got_ms=9010),
        told(5, ORDER, verdict="replayed", order="sku~5", sent_ms=9020, got_ms=9030),
        told(6, REFUSED, verdict="sold_out"),
        told(7, UNKNOWN, verdict="unavailable", order="sku~7", poll="/7"),
        told(7, NEVER, order="sku~7", poll="/7", polled=True),
        told(7, REFUSED, verdict="sold_out"),
        told(8, REFUSED, verdict="unavailable"),
    ]
    keys = {f"{len(one.buyer)}:{one.buyer}key-{no}": one.order for no, one in enumerate(rows, 1)}
    books = Books(TOTAL, 0, TOTAL, 0, rows, keys, 0, list(rows), [(1, TOTAL, TOTAL, 0)])
    return Case(history, books, total=TOTAL, per_buyer=1)


def with_books(case: Case, **changed: object) -> Case:
    return replace(case, books=replace(case.books, **changed))


def with_told(case: Case, *more: Told) -> Case:
    return replace(case, told=[*case.told, *more])


def without_order_3(rows: list[Row]) -> list[Row]:
    return [one for one in rows if one.order != "sku~3"]


LIES: dict[str, tuple[str, Callable[[Case], Case]]] = {
    "an order that was told is in no store": (
        LOST,
        lambda case: with_books(
            case, ledger=without_order_3(case.books.ledger), database=without_order_3(case.books.database)
        ),
    ),
    "an order never reached the database": (
        LOST,
        lambda case: with_books(case, database=without_order_3(case.books.database)),
    ),
    "a settling never reached the database": (
        LOST,
        lambda case: with_books(case, ledger=[*case.books.ledger[:4], row(5, state="paid")]),
    ),
    "events are left in the outbox": (LOST, lambda case: with_books(case, outbox=1)),
    "a row stands twice": (DUPLICATED, lambda case: with_books(case, database=[*case.books.database, row(1)])),
    "two orders have one number": (
        DUPLICATED,
        lambda case: with_books(case, database=[*case.books.database, row(9, seq=1)]),
    ),
    "an order is both parked and written": (
        DUPLICATED,
        lambda case: with_books(case, parked=frozenset({"sku~1"})),
    ),
    "a key was told of two orders": (
        DUPLICATED,
        lambda case: with_told(case, told(1, ORDER, verdict="accepted", order="sku~2")),
    ),
    "an order was told to two buyers": (
        DUPLICATED,
        lambda case: with_told(case, told(9, ORDER, verdict="accepted", order="sku~2")),
    ),
    "more units are sold than there were": (
        OVERSOLD,
        lambda case: with_books(
            case, ledger=[*case.books.ledger, row(6)], database=[*case.books.database, row(6)], held=TOTAL + 1
        ),
    ),
    "a unit has vanished from the ledger's balance": (OVERSOLD, lambda case: with_books(case, held=TOTAL - 1)),
    "the database's item row is not the sum of its orders": (
        OVERSOLD,
        lambda case: with_books(case, item_rows=[(1, TOTAL, 3, 0)]),
    ),
    "a buyer has more than the limit": (
        OVERSOLD,
        lambda case: with_books(case, database=[row(1, quantity=2), *case.books.database[1:]]),
    ),
    "sold out was said while a unit was free": (
        FALSE,
        lambda case: with_books(case, free=1, held=4, item_rows=[(1, TOTAL, 4, 0)]),
    ),
    "limit reached was said to who has nothing": (
        FALSE,
        lambda case: with_told(case, told(9, REFUSED, verdict="limit_reached")),
    ),
    "an item on sale was said to be unknown": (
        FALSE,
        lambda case: with_told(case, told(9, REFUSED, verdict="unknown_item")),
    ),
    "an answer made no sense": (FALSE, lambda case: with_told(case, told(9, STRANGE, status=500))),
    "a purchase was refused, and had made an order": (
        FALSE,
        lambda case: replace(case, told=[told(1, REFUSED, verdict="unavailable"), *case.told[1:]]),
    ),
    "a key with an order was told sold out": (
        FALSE,
        lambda case: with_told(case, told(1, REFUSED, verdict="sold_out", sent_ms=8000, got_ms=8010)),
    ),
    "an order that never came to be is there": (
        FALSE,
        lambda case: with_told(case, told(2, NEVER, order="sku~2", polled=True)),
    ),
    "an order exists and nobody was told": (FALSE, lambda case: replace(case, told=case.told[1:])),
    "a ledger that forgot goes on selling": (
        FALSE,
        lambda case: with_told(
            replace(case, forgot_ms=8500, rebuilt_ms=9500), told(9, ORDER, verdict="accepted", order="sku~1")
        ),
    ),
    "a named outcome never came to an answer": (
        UNRESOLVED,
        lambda case: replace(case, told=[one for one in case.told if not one.polled]),
    ),
    "a cut connection never came to an answer": (UNRESOLVED, lambda case: with_told(case, told(9, BROKEN))),
}


def test_an_honest_history_is_sound() -> None:
    assert check(honest()) == []


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_found(lie: str) -> None:
    kind, plant = LIES[lie]
    assert kind in {finding.kind for finding in check(plant(honest()))}
