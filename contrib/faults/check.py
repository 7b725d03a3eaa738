"""The checker: what buyers were told against what ledger and database hold, by rules that the program has no part in.

Each rule is a function over one ``Case`` that yields what it finds wrong; a finding has a kind: ``lost``,
``duplicated``, ``oversold``, ``false`` or ``unresolved``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from faults.books import Books, Row
from faults.history import BROKEN, GONE, NEVER, ORDER, REFUSED, STRANGE, UNKNOWN, Told

LOST, DUPLICATED, OVERSOLD, FALSE, UNRESOLVED = "lost", "duplicated", "oversold", "false", "unresolved"
KINDS = (LOST, DUPLICATED, OVERSOLD, FALSE, UNRESOLVED)
LIVE = ("held", "paid")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True, slots=True)
class Case:
    """One run's evidence."""

    told: Sequence[Told]
    books: Books
    total: int
    per_buyer: int
    gives_back: bool = False
    """Whether units came back on sale (holds expired): then "sold out" and "limit reached" pass."""
    forgot_ms: int = 0
    """When the ledger had forgotten what was sold; 0 if it never did. From there on it has to refuse."""
    rebuilt_ms: int = 0
    """When it began to be made anew from the database."""


def check(case: Case) -> list[Finding]:
    """All that is wrong; empty if lost, duplicated, oversold and false are all nought."""
    return [finding for rule in RULES for finding in rule(case)]


# -- lost --------------------------------------------------------------------------------------------


def every_told_order_is_written_or_parked(case: Case) -> Iterator[Finding]:
    kept = _ids(case.books.database) | case.books.parked
    for order in sorted(_told_orders(case).keys() - kept):
        yield Finding(LOST, f"{order} was told to its buyer, the database does not have it")


def every_order_of_the_ledger_is_written_or_parked(case: Case) -> Iterator[Finding]:
    kept = _ids(case.books.database) | case.books.parked
    for order in sorted(_ids(case.books.ledger) - kept):
        yield Finding(LOST, f"{order} is in the ledger, the database does not have it")


def both_stores_agree_on_each_order(case: Case) -> Iterator[Finding]:
    written = {row.order: row for row in case.books.database}
    for row in case.books.ledger:
        if row.order in written and written[row.order] != row:
            yield Finding(LOST, f"the ledger has {row}, the database {written[row.order]}")


def the_outbox_is_empty(case: Case) -> Iterator[Finding]:
    if case.books.outbox:
        yield Finding(LOST, f"{case.books.outbox} events still lie in the outbox")


# -- duplicated --------------------------------------------------------------------------------------


def every_order_stands_once(case: Case) -> Iterator[Finding]:
    for order, times in Counter(row.order for row in case.books.database).items():
        if times > 1:
            yield Finding(DUPLICATED, f"{order} stands {times} times in the database")
    for numbered, times in Counter((row.epoch, row.seq) for row in case.books.database).items():
        if times > 1:
            yield Finding(DUPLICATED, f"{times} orders have the epoch and number {numbered}")
    for order in sorted(case.books.parked & _ids(case.books.database)):
        yield Finding(DUPLICATED, f"{order} was written, and parked as well")


def every_key_has_one_order(case: Case) -> Iterator[Finding]:
    orders: dict[str, set[str]] = defaultdict(set)
    for told in case.told:
        if told.meaning in (ORDER, GONE):
            orders[told.attempt.key].add(told.order)
    for key, ids in orders.items():
        if len(ids) > 1:
            yield Finding(DUPLICATED, f"the key {key} was told of {len(ids)} orders: {sorted(ids)}")


def every_order_has_one_buyer(case: Case) -> Iterator[Finding]:
    first = _told_orders(case)
    for told in case.told:
        buyer = first.get(told.order, told).attempt.buyer
        if told.meaning == ORDER and told.attempt.buyer != buyer:
            yield Finding(DUPLICATED, f"{told.order} was told to {buyer} and to {told.attempt.buyer}")


# -- oversold ----------------------------------------------------------------------------------------


def nothing_is_oversold(case: Case) -> Iterator[Finding]:
    for name, rows in (("ledger", case.books.ledger), ("database", case.books.database)):
        if (units := _units(rows)) > case.total:
            yield Finding(OVERSOLD, f"the {name} sold {units} units of {case.total}")
    told = sum({told.order: told.attempt.quantity for told in _told_orders(case).values()}.values())
    if told > case.total and not case.gives_back:
        yield Finding(OVERSOLD, f"buyers were told of {told} units of {case.total}")


def the_ledger_balances(case: Case) -> Iterator[Finding]:
    books = case.books
    if books.total != case.total or books.free < 0 or books.total != books.free + books.held + books.paid:
        yield Finding(OVERSOLD, f"total {books.total}, free {books.free}, held {books.held}, paid {books.paid}")
    for state, units in (("held", books.held), ("paid", books.paid)):
        if (found := _units(books.ledger, (state,))) != units:
            yield Finding(OVERSOLD, f"the item has {units} units {state}, its orders {found}")


def the_database_balances(case: Case) -> Iterator[Finding]:
    for epoch, total, held, paid in case.books.item_rows:
        rows = [row for row in case.books.database if row.epoch == epoch]
        if (held, paid) != (_units(rows, ("held",)), _units(rows, ("paid",))) or held + paid > total:
            yield Finding(OVERSOLD, f"the database's row of epoch {epoch} says total {total}, held {held}, paid {paid}")


def buyers_stay_within_their_limit(case: Case) -> Iterator[Finding]:
    for buyer, units in _units_of_buyers(case.books.database).items():
        if units > case.per_buyer:
            yield Finding(OVERSOLD, f"{buyer} has {units} units, the limit is {case.per_buyer}")


# -- false -------------------------------------------------------------------------------------------


def sold_out_was_true(case: Case) -> Iterator[Finding]:
    """Without units that come back, what is free at the end was free all the time."""
    for told in _refused(case, "sold_out") if not case.gives_back else ():
        if case.books.free >= told.attempt.quantity or told.available >= told.attempt.quantity:
            yield Finding(FALSE, f"request {told.attempt.no} was told sold_out, {case.books.free} units are free")


def limit_reached_was_true(case: Case) -> Iterator[Finding]:
    units = _units_of_buyers(case.books.ledger)
    for told in _refused(case, "limit_reached") if not case.gives_back else ():
        if units[told.attempt.buyer] + told.attempt.quantity <= case.per_buyer:
            yield Finding(FALSE, f"{told.attempt.buyer} was told limit_reached with {units[told.attempt.buyer]} units")


def no_other_refusal_was_possible(case: Case) -> Iterator[Finding]:
    for told in case.told:
        if told.meaning == REFUSED and told.verdict not in ("sold_out", "limit_reached", "unavailable"):
            yield Finding(FALSE, f"request {told.attempt.no} was told {told.verdict}: {told}")
        if told.meaning == STRANGE:
            yield Finding(FALSE, f"request {told.attempt.no} got {told.status}: {told.detail}")


def no_refused_purchase_has_an_order(case: Case) -> Iterator[Finding]:
    """An order that was made before its buyer heard "nothing was bought" of the same key."""
    made = {row.order: row for row in case.books.ledger}
    orders = {field: made[order] for field, order in case.books.keys.items() if order in made}
    sent = _purchases_by_key(case)
    for told in case.told:
        row = orders.get(f"{len(told.attempt.buyer.encode())}:{told.attempt.buyer}{told.attempt.key}")
        if told.meaning == REFUSED and row and row.state in LIVE and row.at_ms < told.sent_ms:
            # Being refused is true of a repeated request that could not even look; but only as "not at this moment".
            if told.verdict != "unavailable":
                yield Finding(FALSE, f"request {told.attempt.no} was told {told.verdict}, its key has {row.order}")
        elif told.meaning == REFUSED and row and row.state in LIVE and _alone_made(sent[told.attempt.key], told, row):
            yield Finding(FALSE, f"request {told.attempt.no} was told {told.verdict}, and it made {row.order}")


def what_never_came_to_be_is_nowhere(case: Case) -> Iterator[Finding]:
    somewhere = _ids(case.books.ledger) | _ids(case.books.database) | case.books.parked | _told_orders(case).keys()
    for told in case.told:
        if told.meaning == NEVER and told.order in somewhere:
            yield Finding(FALSE, f"polling {told.order} said that it never came to be; it did")


def no_order_is_a_ghost(case: Case) -> Iterator[Finding]:
    """Every order was told to somebody: who got no answer asked again."""
    told = {told.order for told in case.told if told.meaning in (ORDER, GONE)}
    for row in case.books.ledger:
        if row.order not in told:
            yield Finding(FALSE, f"{row.order} of {row.buyer} exists, and nobody was told")


def a_ledger_that_forgot_refuses(case: Case) -> Iterator[Finding]:
    for told in case.told if case.forgot_ms else ():
        # An order that it still knows may well be replayed: it exists.
        refused = told.meaning in (REFUSED, UNKNOWN, BROKEN) and told.verdict in ("unavailable", "")
        meanwhile = case.forgot_ms < told.sent_ms and told.got_ms < case.rebuilt_ms and not told.polled
        if meanwhile and not refused and told.verdict != "replayed":
            yield Finding(FALSE, f"told {told.verdict} by a ledger that had forgotten: {told}")


# -- unresolved --------------------------------------------------------------------------------------


def every_unknown_outcome_was_resolved(case: Case) -> Iterator[Finding]:
    known = {told.attempt.key for told in case.told if told.meaning in (ORDER, GONE, REFUSED) and _final(told)}
    answered = {told.order for told in case.told if told.polled and told.meaning in (ORDER, NEVER)}
    for told in case.told:
        if told.meaning == UNKNOWN and told.order not in answered:
            yield Finding(UNRESOLVED, f"{told.order} could be polled, and never came to an answer")
        elif told.meaning in (UNKNOWN, BROKEN) and not told.polled and told.attempt.key not in known:
            yield Finding(UNRESOLVED, f"request {told.attempt.no}, key {told.attempt.key}: never came to an answer")


def every_poll_has_one_answer(case: Case) -> Iterator[Finding]:
    answers: dict[str, set[str]] = defaultdict(set)
    for told in case.told:
        if told.polled and told.meaning in (ORDER, NEVER):
            answers[told.order].add(told.meaning)
    for order, meanings in answers.items():
        if len(meanings) > 1:
            yield Finding(FALSE, f"polling {order} said both that it exists and that it never will")


Rule = Callable[[Case], Iterator[Finding]]

RULES: Sequence[Rule] = (
    every_told_order_is_written_or_parked,
    every_order_of_the_ledger_is_written_or_parked,
    both_stores_agree_on_each_order,
    the_outbox_is_empty,
    every_order_stands_once,
    every_key_has_one_order,
    every_order_has_one_buyer,
    nothing_is_oversold,
    the_ledger_balances,
    the_database_balances,
    buyers_stay_within_their_limit,
    sold_out_was_true,
    limit_reached_was_true,
    no_other_refusal_was_possible,
    no_refused_purchase_has_an_order,
    what_never_came_to_be_is_nowhere,
    no_order_is_a_ghost,
    a_ledger_that_forgot_refuses,
    every_unknown_outcome_was_resolved,
    every_poll_has_one_answer,
)


def _told_orders(case: Case) -> dict[str, Told]:
    orders: dict[str, Told] = {}
    for told in case.told:
        if told.meaning in (ORDER, GONE):
            orders.setdefault(told.order, told)
    return orders


def _purchases_by_key(case: Case) -> dict[str, list[Told]]:
    sent: dict[str, list[Told]] = defaultdict(list)
    for told in case.told:
        if not told.polled:
            sent[told.attempt.key].append(told)
    return sent


def _alone_made(sent: Sequence[Told], told: Told, row: Row) -> bool:
    """Whether the order was made while this request was under way, and no other of those that were sent."""
    return [one for one in sent if one.sent_ms - 1 <= row.at_ms <= one.got_ms + 1] == [told]


def _refused(case: Case, verdict: str) -> Iterator[Told]:
    """What the books can still judge: what was sold and then forgotten by all, told to nobody, is not in them."""
    since = case.rebuilt_ms if case.forgot_ms else 0
    return (one for one in case.told if one.meaning == REFUSED and one.verdict == verdict and one.sent_ms >= since)


def _final(told: Told) -> bool:
    return told.verdict != "unavailable"


def _ids(rows: Iterable[Row]) -> set[str]:
    return {row.order for row in rows}


def _units(rows: Iterable[Row], states: Sequence[str] = LIVE) -> int:
    return sum(row.quantity for row in rows if row.state in states)


def _units_of_buyers(rows: Iterable[Row]) -> Counter[str]:
    units: Counter[str] = Counter()
    for row in rows:
        if row.state in LIVE:
            units[row.buyer] += row.quantity
    return units
