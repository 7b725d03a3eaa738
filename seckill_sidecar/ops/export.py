"""``export SKU``: the history of a sale as a file that can be checked, see ``wire/history.py``.

It reads the database alone, so it tells what has arrived there. What is still missing is said, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import UsageError
from seckill_sidecar.model import SKU, Event
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.wire.history import FIRST_PREV, FORMAT, fields_of, seal

Tell = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``export``."""
    parser.add_argument("sku")
    parser.add_argument("--epoch", type=int, help="which sale of the item (the last)")
    parser.add_argument("--output", metavar="FILE", help="where to write it (standard output)")


def run(arguments: argparse.Namespace, orders: OrdersDb, clock: Clock, tell: Tell) -> int:
    """Write the file; 1 if events are missing, each gap told. Raises ``UsageError``, ``StoreError``."""
    if SKU.fullmatch(arguments.sku) is None:
        raise UsageError(f"{arguments.sku[:100]!r} is no SKU")
    epoch = arguments.epoch if arguments.epoch is not None else orders.last_epoch(arguments.sku)
    last = orders.last_event(arguments.sku, epoch)
    if not last:
        raise UsageError(f"the database has no events of {arguments.sku} (epoch {epoch})")
    try:
        target = _target(arguments.output)
    except OSError as error:
        raise UsageError(f"{arguments.output} can't be written: {error.strerror}") from error
    with target as file:
        history = Export(arguments.sku, epoch, last, clock)
        for line in history.lines(orders.events(arguments.sku, epoch)):
            file.write(line + "\n")
    for first, until in history.gaps:
        tell(f"event {first} is missing" if first == until else f"events {first} to {until} are missing")
    if history.gaps:
        tell(
            "the relay and the writer may still have them, or they lie in RabbitMQ (parked collect); export again then"
        )
    return 1 if history.gaps else 0


def _target(path: str | None) -> TextIO | nullcontext[TextIO]:
    if path is None:
        return nullcontext(sys.stdout)
    return Path(path).open("w", encoding="utf-8", newline="\n")


class Export:
    """The lines of one file, up to the event of the number ``last``; notes what is missing."""

    def __init__(self, item: str, epoch: int, last: int, clock: Clock) -> None:
        self._header = {
            "item": item,
            "epoch": epoch,
            "format": FORMAT,
            "count": last,
            "exported_at": datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds"),
        }
        self._last = last
        self.gaps: list[tuple[int, int]] = []
        """Numbers of events that did not come, as (first, last)."""

    def lines(self, events: Iterator[Event]) -> Iterator[str]:
        """Header, events and trailer, sealed."""
        line, sha256 = seal(self._header, "")
        yield line
        chain, digest = 0, FIRST_PREV
        for event in events:
            if event.chain > self._last:  # it came while we read
                break
            self._note_gap(chain, event.chain)
            chain, digest = event.chain, event.digest
            line, sha256 = seal(fields_of(event), sha256)
            yield line
        self._note_gap(chain, self._last + 1)
        yield seal({"end": True, "digest": digest}, sha256)[0]

    def _note_gap(self, before: int, after: int) -> None:
        if after > before + 1:
            self.gaps.append((before + 1, after - 1))
