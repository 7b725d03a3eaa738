"""``eligible load|show``: the list of the buyers whom an item is for, made from a file with one buyer a line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import UnusableList, UsageError
from seckill_sidecar.gate.identify import is_buyer
from seckill_sidecar.ports import Invitations, InvitedList, NewList
from seckill_sidecar.settings.schema import ItemSettings

_SECONDS = 30.0
"""For each portion of buyers."""
_PORTION = 50_000
_MOST = 100_000_000
_LONGEST_LINE = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``eligible``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    load = actions.add_parser("load", help="let these buyers have an item, and nobody else, from now on")
    load.add_argument("sku")
    load.add_argument("--from", dest="source", required=True, metavar="FILE", help="one buyer a line, in UTF-8")
    show = actions.add_parser("show", help="the lists as they are; exit 1 if one can't be used")
    show.add_argument("sku", nargs="?")
    for action_parser in actions.choices.values():
        action_parser.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help="the YAML")


@dataclass(frozen=True, slots=True)
class Eligible:
    """Carries the commands out."""

    items: Sequence[ItemSettings]
    make: Callable[[str, int], NewList]
    """An empty list of an item, with room for so many buyers."""
    read: Callable[[str, str], InvitedList]
    invitations: Invitations
    clock: Clock

    def run(self, arguments: argparse.Namespace) -> tuple[str, int]:
        """What to print, and the exit code. Raises ``UsageError``, ``UnusableList``, ``StoreError``."""
        if arguments.action == "load":
            return self._load(arguments.sku, self._path(arguments.sku), arguments.source), 0
        paths = {item.sku: item.eligible for item in self.items if item.eligible is not None}
        if arguments.sku is not None:
            paths = {arguments.sku: self._path(arguments.sku)}
        shown = [self._show(sku, path) for sku, path in paths.items()]
        lines = [line for line, _ in shown] or ["no item has a list: everybody may buy"]
        return "\n".join(lines), int(not all(fit for _, fit in shown))

    def _load(self, sku: str, path: str, source: str) -> str:
        """The ledger first, then the file: whoever goes by the new file finds the ledger ready."""
        named = sum(1 for _ in buyers_in(source))
        if not 1 <= named <= _MOST:
            raise UsageError(f"{source} names {named} buyers; a list has 1 to {_MOST:,}")
        new = self.make(sku, named)
        self.invitations.begin(new.generation, self._now_ms(), self._soon())
        read = taken = 0
        buyers = buyers_in(source)
        while seats := [new.add(buyer) for buyer in islice(buyers, _PORTION)]:
            read += len(seats)
            taken += self.invitations.add(new.generation, seats, self._soon())
        if read != named:
            raise UsageError(f"{source} changed while it was read; run this again")
        self.invitations.finish(new.generation, self._now_ms(), self._soon())
        size = new.write(path)
        self.invitations.drop_old(sku, self._now_ms(), self._soon())
        twice = f" ({named - taken} named twice)" if taken != named else ""
        return f"{sku} is for {taken} buyers{twice}: list {new.generation.name}, {size / 1e6:.2f} MB in {path}"

    def _show(self, sku: str, path: str) -> tuple[str, bool]:
        try:
            one = self.read(path, sku).generation
        except UnusableList as error:
            return f"{sku}  nobody can buy it: {error}", False
        if not self.invitations.is_whole(one, self._soon()):
            remedy = f"make it again: seckill-sidecar eligible load {sku} --from FILE"
            return (
                f"{sku}  nobody can buy it: the ledger does not have list {one.name}, or not all of it; {remedy}",
                False,
            )
        return f"{sku}  {one.count} buyers: list {one.name}, in the ledger and in {path}", True

    def _path(self, sku: str) -> str:
        for item in self.items:
            if item.sku == sku and item.eligible is not None:
                return item.eligible
        raise UsageError(
            f"{sku[:100]!r} is for everybody; to have it for invited buyers only, let it stand under items: with "
            "eligible: and the path of its list"
        )

    def _now_ms(self) -> int:
        return int(self.clock.wall() * 1000)

    def _soon(self) -> Deadline:
        return Deadline.after(_SECONDS, self.clock)


def buyers_in(source: str) -> Iterator[str]:
    """The buyers that a file names, one a line, streamed; empty lines are passed over. Raises ``UsageError``."""
    try:
        with open(source, encoding="utf-8-sig", newline="\n") as file:
            for number in count(1):
                line = file.readline(_LONGEST_LINE)
                if not line:
                    return
                buyer = line.rstrip("\r\n")
                if buyer and not is_buyer(buyer):
                    raise UsageError(
                        f"{source}, line {number}: this is no buyer's name: 1 to 255 characters, no control characters"
                    )
                if buyer:
                    yield buyer
    except OSError as error:
        raise UsageError(f"--from {source} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--from {source} is not UTF-8; write it as UTF-8, one buyer a line") from error
