"""``verify FILE``: whether an exported history is whole and can be true; names the line where it first is not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BadMessage, SeckillError, UsageError
from seckill_sidecar.model import SKU, Event, EventKind, State
from seckill_sidecar.ports import Ledger
from seckill_sidecar.wire.history import FIRST_PREV, FORMAT, event_of, unseal

_LONGEST_LINE = 1_000_000
_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``verify``."""
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--against-ledger", action="store_true", help="compare its end with what Redis has")


class Broken(SeckillError):
    """The history does not hold at one line; the text names it."""

    exit_code = 1

    def __init__(self, line: int, what: str, order_id: str = "") -> None:
        self.line = line
        self.order_id = order_id
        about = f"order {order_id}: " if order_id else ""
        super().__init__(f"line {line}: {about}{what}")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a sound file says of itself."""

    item: str
    epoch: int
    count: int
    digest: str


def verify_file(path: str) -> Verified:
    """Check a file; raises ``Broken`` at the first line that does not hold, ``UsageError`` if it can't be read."""
    try:
        with Path(path).open("rb") as file:
            return verify(file)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error


def compare(verified: Verified, ledger: Ledger, clock: Clock) -> str:
    """What is to be said of the ledger beside a sound file; raises ``Broken`` if they differ."""
    view = ledger.item(verified.item, Deadline.after(_SECONDS, clock))
    if view is None or view.epoch != verified.epoch:
        has = "nothing of it" if view is None else f"epoch {view.epoch}"
        raise UsageError(f"the file is of {verified.item}, epoch {verified.epoch}; the ledger has {has}")
    if view.chain > verified.count:
        raise UsageError(f"the ledger has come to event {view.chain}, the file to {verified.count}: export it again")
    if (view.chain, view.digest) != (verified.count, verified.digest):
        raise Broken(verified.count + 2, f"the ledger ends at event {view.chain} with the digest {view.digest}")
    return "the ledger ends with the same event"


def verify(file: BinaryIO) -> Verified:
    """Check an open file."""
    lines = _Lines(file)
    header = _header(lines.next())
    sale = _Sale(header.item, header.epoch)
    while (fields := lines.next()).get("end") is not True:
        try:
            event = event_of(fields)
        except BadMessage as error:
            raise Broken(lines.number, str(error), str(fields.get("id", ""))) from error
        fault = sale.fault(event, fields.get("digest"))
        if fault:
            raise Broken(lines.number, fault, event.order.id)
    if sale.chain != header.count:
        raise Broken(lines.number, f"it ends after event {sale.chain}, the header speaks of {header.count}")
    if fields != {"end": True, "digest": sale.digest}:
        raise Broken(lines.number, "its digest is not that of the last event")
    if lines.more():
        raise Broken(lines.number + 1, "something follows the end")
    return Verified(header.item, header.epoch, header.count, sale.digest)


class _Lines:
    """The lines of a file, unsealed one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = ""
        self.number = 0

    def next(self) -> dict[str, Any]:
        self.number += 1
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise Broken(self.number, "the file breaks off" if len(line) < _LONGEST_LINE else "it is too long")
        try:
            fields, self._sha256 = unseal(line[:-1], self._sha256)
        except BadMessage as error:
            raise Broken(self.number, str(error)) from error
        return fields

    def more(self) -> bool:
        return bool(self._file.read(1))


def _header(fields: dict[str, Any]) -> Verified:
    item, epoch, count = (fields.get(name) for name in ("item", "epoch", "count"))
    if fields.get("format") != FORMAT:
        raise Broken(1, f"it is of format {fields.get('format')!r}, this program reads {FORMAT}")
    if not (isinstance(item, str) and SKU.fullmatch(item) and isinstance(epoch, int) and isinstance(count, int)):
        raise Broken(1, "it is no header of an export")
    return Verified(item, epoch, count, FIRST_PREV)


class _Sale:
    """A sale as its events tell it, played again."""

    def __init__(self, item: str, epoch: int) -> None:
        self._item, self._last_epoch = item, epoch
        self._epoch = 0
        """It rises where a rebuild made the next epoch go on with the history of the one before."""
        self._seq = 0
        self._total = 0
        self._taken = 0
        """Units held or paid."""
        self._orders: dict[str, tuple[State, int, int]] = {}
        """By id: state, number of the last step, and a hash of what no step changes."""
        self.chain = 0
        self.digest = FIRST_PREV

    def fault(self, event: Event, digest: object) -> str:
        """Play one event; what is wrong with it, or nothing."""
        return next(filter(None, self._faults(event, digest)), "") or self._play(event)

    def _faults(self, event: Event, digest: object) -> Iterator[str]:
        order = event.order
        if order.item != self._item or not self._epoch <= order.epoch <= self._last_epoch:
            yield f"it is of {order.item}, epoch {order.epoch}"
        if event.chain != self.chain + 1:
            yield f"it is event {event.chain}, expected is {self.chain + 1}"
        if event.prev != self.digest:
            yield "its prev is not the digest of the event before"
        if event.digest != digest:
            yield "its digest is not what its fields give"
        if event.total < self._total and order.epoch == self._epoch:
            yield f"the item's total falls from {self._total} to {event.total}"
        yield self._wrong_step(event)

    def _wrong_step(self, event: Event) -> str:
        order = event.order
        state, no, identity = self._orders.get(order.id, (None, 0, _identity(event)))
        if event.no != no + 1:
            return f"it is step {event.no} of its order, expected is {no + 1}"
        if identity != _identity(event):
            return "its order had another number, buyer, quantity or time before"
        if event.kind is EventKind.ACCEPTED:
            # A rebuild numbers on after the orders that it found: one that was parked may have had that number before.
            above = order.seq > self._seq or order.epoch > self._epoch
            return "" if above else f"its order's number {order.seq} is not above {self._seq}"
        late = event.kind is EventKind.LATE_PAYMENT
        before = (State.CANCELLED, State.EXPIRED) if late else (State.HELD,)
        return "" if state in before and (not late or order.state is state) else f"{event.kind} can't follow {state}"

    def _play(self, event: Event) -> str:
        order, kind = event.order, event.kind
        self.chain, self.digest, self._total, self._epoch = event.chain, event.digest, event.total, order.epoch
        if kind is EventKind.ACCEPTED:
            self._seq = order.seq
            self._taken += order.quantity
        elif kind in (EventKind.CANCELLED, EventKind.EXPIRED):
            self._taken -= order.quantity
        self._orders[order.id] = (order.state, event.no, _identity(event))
        return f"{self._taken} units are sold of {event.total}" if self._taken > event.total else ""


def _identity(event: Event) -> int:
    order = event.order
    return hash((order.seq, order.buyer, order.quantity, order.accepted_at_ms, order.due_at_ms))
