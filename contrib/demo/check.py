"""Compares the books order by order. Each rule names two accounts that can disagree, and says so when they do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from demo.books import Books, Row
from demo.plan import SKU, Plan

LOST, DUPLICATED, OVERSOLD, MISMATCH = "lost", "duplicated", "oversold", "mismatch"

UNTRUE_HERE = frozenset({"unidentified", "invalid", "conflict", "unknown_item", "not_open", "closed"})
"""Verdicts that nobody can truthfully get in this sale: every request is sound and the item is open."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement."""

    kind: str
    what: str
    count: int = 1
    """How many orders or units it is about."""


def find_faults(plan: Plan, books: Books) -> list[Finding]:
    """Every disagreement between the accounts; empty if the sale was flawless."""
    return [finding for rule in RULES for finding in rule(plan, books)]


def told_orders_are_written(_: Plan, books: Books) -> Iterator[Finding]:
    kept = _ids(books.database) | books.parked
    for order in sorted(_told_rows(books).keys() - kept):
        yield Finding(LOST, f"{order}: its buyer was told, the database does not have it")


def told_orders_stand_in_the_ledger(_: Plan, books: Books) -> Iterator[Finding]:
    for order in sorted(_told_rows(books).keys() - _ids(books.ledger.rows)):
        yield Finding(MISMATCH, f"{order}: its buyer was told, the ledger does not have it")


def ledger_orders_were_told(_: Plan, books: Books) -> Iterator[Finding]:
    for order in sorted(_ids(books.ledger.rows) - _told_rows(books).keys()):
        yield Finding(MISMATCH, f"{order}: the ledger has it, no buyer was told")


def database_has_what_the_ledger_has(_: Plan, books: Books) -> Iterator[Finding]:
    ledger, database = _ids(books.ledger.rows), _ids(books.database)
    for order in sorted(database - ledger):
        yield Finding(MISMATCH, f"{order}: the database has it, the ledger does not")
    for order in sorted(ledger - database - books.parked - _told_rows(books).keys()):
        yield Finding(MISMATCH, f"{order}: the ledger has it, the database does not")


def nothing_is_parked_that_was_written(_: Plan, books: Books) -> Iterator[Finding]:
    for order in sorted(books.parked & _ids(books.database)):
        yield Finding(MISMATCH, f"{order}: parked as unwritable, and written")


def shop_has_what_it_confirmed(_: Plan, books: Books) -> Iterator[Finding]:
    confirmed = {told.answer.order for told in books.told if told.answer.source == "shop"}
    for order in sorted(confirmed - _ids(books.shop)):
        yield Finding(MISMATCH, f"{order}: the shop's page confirmed it, the shop's orders do not have it")
    for order in sorted(_ids(books.shop) - _ids(books.ledger.rows)):
        yield Finding(MISMATCH, f"{order}: the shop has it, the ledger does not")


def accounts_agree_on_each_order(_: Plan, books: Books) -> Iterator[Finding]:
    told = _told_rows(books)
    for name, rows in (("ledger", books.ledger.rows), ("database", books.database), ("shop", books.shop)):
        for row in rows:
            if row.order in told and row != told[row.order]:
                yield Finding(MISMATCH, f"{row.order}: told as {_say(told[row.order])}, the {name} has {_say(row)}")


def orders_stand_once(_: Plan, books: Books) -> Iterator[Finding]:
    for name, rows in (("ledger", books.ledger.rows), ("database", books.database), ("shop", books.shop)):
        for order, times in sorted(Counter(row.order for row in rows).items()):
            if times > 1:
                yield Finding(DUPLICATED, f"{order}: {times} times in the {name}", times - 1)


def keys_name_one_order(_: Plan, books: Books) -> Iterator[Finding]:
    orders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for told in books.told:
        if told.answer.won and told.attempt.key:
            orders[told.attempt.buyer, told.attempt.key].add(told.answer.order)
    for (buyer, key), ids in orders.items():
        if len(ids) > 1:
            yield Finding(DUPLICATED, f"{buyer}'s key {key} made {len(ids)} orders: {sorted(ids)}", len(ids) - 1)


def orders_belong_to_one_buyer(_: Plan, books: Books) -> Iterator[Finding]:
    buyers: dict[str, set[str]] = defaultdict(set)
    for told in books.told:
        if told.answer.won:
            buyers[told.answer.order].add(told.attempt.buyer)
    for order, names in buyers.items():
        if len(names) > 1:
            yield Finding(MISMATCH, f"{order}: told to {len(names)} buyers: {sorted(names)}")


def nothing_is_oversold(plan: Plan, books: Books) -> Iterator[Finding]:
    accounts: dict[str, Iterable[Row]] = {
        "buyers were told of": _told_rows(books).values(),
        "the ledger sold": books.ledger.rows,
        "the database sold": {row.order: row for row in books.database}.values(),
    }
    worst = max((_units(rows) - plan.stock, account) for account, rows in accounts.items())
    if worst[0] > 0:
        yield Finding(OVERSOLD, f"{worst[1]} {worst[0]} more units than the {plan.stock} there were", worst[0])


def ledger_balances(plan: Plan, books: Books) -> Iterator[Finding]:
    page = books.ledger
    if page.total != plan.stock or page.free < 0 or page.total != page.free + _units(page.rows):
        what = f"ledger: {page.total} units in all, {page.free} free, {_units(page.rows)} sold; loaded {plan.stock}"
        yield Finding(MISMATCH, what)


def buyers_stay_within_their_limit(_: Plan, books: Books) -> Iterator[Finding]:
    for name, rows in (("ledger", books.ledger.rows), ("database", books.database)):
        for buyer, orders in sorted(Counter(buyer for _, buyer in {(row.order, row.buyer) for row in rows}).items()):
            if orders > 1:
                yield Finding(MISMATCH, f"{buyer} has {orders} orders in the {name}, the limit is 1")


def refusals_are_true(_: Plan, books: Books) -> Iterator[Finding]:
    holders = {row.buyer for row in books.ledger.rows}
    verdicts: Counter[str] = Counter()
    for told in books.told:
        verdicts[told.answer.verdict] += 1
        if told.answer.verdict == "limit_reached" and told.attempt.buyer not in holders:
            yield Finding(MISMATCH, f"{told.attempt.buyer} was told limit_reached and has no order")
        if told.answer.verdict in UNTRUE_HERE:
            yield Finding(MISMATCH, f"{told.attempt.buyer} was told {told.answer.verdict}, and it was not so")
    if verdicts["sold_out"] and books.ledger.free > 0:
        times = verdicts["sold_out"]
        yield Finding(MISMATCH, f"sold_out was told {times} times and {books.ledger.free} units are free", times)


def every_request_was_answered(plan: Plan, books: Books) -> Iterator[Finding]:
    missing = plan.requests - len({told.attempt.no for told in books.told})
    if missing:
        yield Finding(MISMATCH, f"{missing} requests have no recorded answer", missing)
    for told in books.told:
        if told.answer.fault:
            yield Finding(MISMATCH, f"request {told.attempt.no} of {told.attempt.buyer}: {told.answer.fault}")


Rule = Callable[[Plan, Books], Iterator[Finding]]

RULES: Sequence[Rule] = (
    told_orders_are_written,
    orders_stand_once,
    keys_name_one_order,
    nothing_is_oversold,
    told_orders_stand_in_the_ledger,
    ledger_orders_were_told,
    database_has_what_the_ledger_has,
    nothing_is_parked_that_was_written,
    shop_has_what_it_confirmed,
    accounts_agree_on_each_order,
    orders_belong_to_one_buyer,
    ledger_balances,
    buyers_stay_within_their_limit,
    refusals_are_true,
    every_request_was_answered,
)


def _told_rows(books: Books) -> dict[str, Row]:
    """What buyers were told, an order once: by its first buyer."""
    rows: dict[str, Row] = {}
    for told in books.told:
        if told.answer.won:
            order = told.answer.order
            rows.setdefault(order, Row(order, SKU, told.attempt.buyer, told.attempt.quantity))
    return rows


def _ids(rows: Iterable[Row]) -> set[str]:
    return {row.order for row in rows}


def _units(rows: Iterable[Row]) -> int:
    return sum(row.quantity for row in rows)


def _say(row: Row) -> str:
    return f"{row.quantity} × {row.item} for {row.buyer}"
