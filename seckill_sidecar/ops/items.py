"""``item load|open|close|pause|add|show|shadow|list``: what an operator does to items."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.gate.known import TRUE_FOR
from seckill_sidecar.model import SKU, Item, ItemView
from seckill_sidecar.ports import Ledger, OrdersDb, Shadow
from seckill_sidecar.settings.schema import ItemSettings
from seckill_sidecar.settings.values import parse_duration, parse_moment

_SECONDS = 10.0
_STATUS = {"open": "open", "close": "closed", "pause": "paused"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``item``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    load = actions.add_parser("load", help="put an item on sale; without SKU, all items of the YAML")
    load.add_argument("sku", nargs="?")
    load.add_argument("--total", type=int, help="units on sale")
    load.add_argument("--opens-at", help="for example 2026-11-11T20:00:00+08:00")
    load.add_argument("--closes-at")
    load.add_argument("--per-buyer", type=int, help="units one buyer may have (1)")
    load.add_argument("--hold", help="how long an unpaid hold lives (15m)")
    load.add_argument("--replaces", type=int, metavar="EPOCH", help="start anew over the orders of this epoch")
    for action, what in (("open", "sell, within its window"), ("close", "stop selling"), ("pause", "refuse for now")):
        actions.add_parser(action, help=what).add_argument("sku")
    add = actions.add_parser("add", help="put more units on sale")
    add.add_argument("sku")
    add.add_argument("units", type=int)
    actions.add_parser("show", help="one item as it stands").add_argument("sku")
    shadow = actions.add_parser("shadow", help="what would have been sold of one item by routes in shadow")
    shadow.add_argument("sku")
    shadow.add_argument("--anew", action="store_true", help="forget it: the next purchase starts with all units free")
    actions.add_parser("list", help="all items as they stand")
    for action_parser in actions.choices.values():
        action_parser.add_argument("--json", action="store_true", help="as JSON, for programs")
        # May stand before or after the action; without a default, so that one does not undo the other.
        action_parser.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help="the YAML")


class Items:
    """Carries the commands out."""

    def __init__(self, ledger: Ledger, shadow: Shadow, orders: OrdersDb, clock: Clock) -> None:
        self._ledger = ledger
        self._shadow = shadow
        self._orders = orders
        self._clock = clock
        self.damaged: dict[str, str] = {}
        """Items that could not be read, and why."""

    def run(self, arguments: argparse.Namespace, configured: Sequence[ItemSettings]) -> str:
        """Do what the command line says; return what to print. Raises ``UsageError``, ``StoreError``."""
        views = self._views(arguments, configured)
        if arguments.json:
            shown = [asdict(view) for view in views]
            return json.dumps(shown[0] if arguments.action in ("show", "add", *_STATUS) else shown)
        return "\n".join([table(views), *(f"{sku}  DAMAGED: {why}" for sku, why in self.damaged.items())])

    def _views(self, arguments: argparse.Namespace, configured: Sequence[ItemSettings]) -> list[ItemView]:
        if arguments.action == "load":
            wanted = items_to_load(arguments, configured)
            self._announce([item.sku for item in wanted], arguments.replaces)
            return [self._load(item, arguments.replaces) for item in wanted]
        if arguments.action == "list":
            return self._all()
        if arguments.action == "shadow":
            return self._in_shadow(valid_sku(arguments.sku), arguments.anew)
        return [self._one(arguments)]

    def _all(self) -> list[ItemView]:
        found = []
        for sku in self._ledger.items(self._deadline()):
            try:
                found.append(self._ledger.item(sku, self._deadline()))
            except LedgerUntrusted as error:
                # The others are wanted all the more when one is damaged.
                self.damaged[sku] = error.what
        return [view for view in found if view is not None]

    def _in_shadow(self, sku: str, anew: bool) -> list[ItemView]:
        if anew:
            self._shadow.forget(sku, self._deadline())
        view = self._shadow.item(sku, self._deadline())
        return [] if view is None else [view]

    def _one(self, arguments: argparse.Namespace) -> ItemView:
        sku = valid_sku(arguments.sku)
        if arguments.action == "add":
            if not 1 <= arguments.units <= 100_000_000:
                raise UsageError("units has to be a whole number from 1 to 100000000")
            return self._add(sku, arguments.units)
        if arguments.action in _STATUS:
            return self._ledger.switch(sku, _STATUS[arguments.action], self._deadline())
        view = self._ledger.item(sku, self._deadline())
        if view is None:
            raise UsageError(f"there is no item {sku} in the ledger; load it first: seckill-sidecar item load {sku}")
        return view

    def _add(self, sku: str, units: int) -> ItemView:
        view = self._ledger.add(sku, units, self._deadline())
        # A rebuild takes the total from the database. If it can't be told now, it hears of it with the next order; an
        # error here would read as if nothing had been added.
        with suppress(StoreError):
            self._orders.begin_epoch(sku, view.epoch, view.total)
        return view

    def _announce(self, skus: Sequence[str], replaces: int | None) -> None:
        """Wait until every process goes by names that have these: once they are on sale, nobody hears "unknown"."""
        new = [sku for sku in skus if self._is_new(sku, replaces) and self._ledger.announce(sku, self._deadline())]
        if new:
            self._clock.sleep(TRUE_FOR)

    def _is_new(self, sku: str, replaces: int | None) -> bool:
        """Whether the ledger does not have it, and may get it: see below."""
        return self._ledger.item(sku, self._deadline()) is None and self._orders.last_epoch(sku) in (0, replaces)

    def _load(self, item: Item, replaces: int | None) -> ItemView:
        # The database remembers what a lost or emptied Redis does not: loading over a sale would sell its units again.
        seen = self._orders.last_epoch(item.sku)
        present = self._ledger.item(item.sku, self._deadline())
        if seen and (present is None or present.epoch < seen) and replaces != seen:
            raise UsageError(
                f"the database knows of a sale of {item.sku} (epoch {seen}) that this ledger does not have; "
                f"if that sale is over, start anew with --replaces {seen}"
            )
        confirmed = present is not None and replaces in (present.epoch, seen)
        known_here = present.epoch if present is not None and confirmed else None
        # Shut until the database knows of it: from the first sale on, it can't be forgotten any more.
        view = self._ledger.load(item, self._deadline(), replaces=known_here, epoch=seen + 1, status="closed")
        self._orders.begin_epoch(item.sku, view.epoch, item.total)
        return self._ledger.switch(item.sku, "open", self._deadline())

    def _deadline(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)


def items_to_load(arguments: argparse.Namespace, configured: Sequence[ItemSettings]) -> list[Item]:
    """The items that ``item load`` means: the YAML's, with what the command line says instead."""
    by_sku = {item.sku: item for item in configured}
    if arguments.sku is None:
        if not by_sku:
            raise UsageError("the YAML has no items; name one: seckill-sidecar item load SKU --total N")
        return [_item(settings) for settings in by_sku.values()]
    sku = valid_sku(arguments.sku)
    base = _item(by_sku[sku]) if sku in by_sku else None
    total = arguments.total if arguments.total is not None else (base.total if base else None)
    if total is None or not 0 <= total <= 100_000_000:
        raise UsageError(f"how many units of {sku}? add --total N (0 to 100000000)")
    return [_changed(base or Item(sku, total), arguments, total)]


def _changed(base: Item, arguments: argparse.Namespace, total: int) -> Item:
    item = Item(
        sku=base.sku,
        total=total,
        opens_at_ms=_given("--opens-at", arguments.opens_at, parse_moment, base.opens_at_ms),
        closes_at_ms=_given("--closes-at", arguments.closes_at, parse_moment, base.closes_at_ms),
        per_buyer=arguments.per_buyer if arguments.per_buyer is not None else base.per_buyer,
        hold_ms=_given("--hold", arguments.hold, lambda text: int(parse_duration(text) * 1000), base.hold_ms),
    )
    if not 1 <= item.per_buyer <= 9999:
        raise UsageError("--per-buyer has to be a whole number from 1 to 9999")
    if item.hold_ms < 1:
        raise UsageError("--hold has to be longer than nothing, for example 15m")
    if item.closes_at_ms and item.closes_at_ms <= item.opens_at_ms:
        raise UsageError("--closes-at has to be later than --opens-at")
    return item


def _given(option: str, text: str | None, parse: Callable[[str], int], otherwise: int) -> int:
    if text is None:
        return otherwise
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} {error}") from error


def _item(settings: ItemSettings) -> Item:
    return Item(
        sku=settings.sku,
        total=settings.total,
        opens_at_ms=settings.opens_at,
        closes_at_ms=settings.closes_at,
        per_buyer=settings.per_buyer,
        hold_ms=int(settings.hold * 1000),
    )


def valid_sku(sku: str) -> str:
    """The SKU, if it is one; raises ``UsageError``."""
    if SKU.fullmatch(sku) is None:
        raise UsageError(f"{sku[:100]!r} is no SKU: letters, digits, dot, dash and underscore, 64 at most")
    return sku


def table(views: Sequence[ItemView]) -> str:
    """Items for people."""
    head = ("item", "status", "total", "free", "held", "paid", "epoch", "per buyer", "opens", "closes")
    rows = [head, *(_row(view) for view in views)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(view: ItemView) -> tuple[str, ...]:
    numbers = (view.total, view.free, view.held, view.paid, view.epoch, view.per_buyer)
    opens, closes = _moment(view.opens_at_ms, "at once"), _moment(view.closes_at_ms, "never")
    return (view.sku, view.status, *(str(number) for number in numbers), opens, closes)


def _moment(milliseconds: int, otherwise: str) -> str:
    if not milliseconds:
        return otherwise
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
