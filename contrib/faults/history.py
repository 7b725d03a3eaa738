"""What buyers were told, in the order in which they heard it; one JSON object a line on disk."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ORDER, GONE, UNKNOWN, REFUSED, NEVER, WAIT, BROKEN, STRANGE = (
    "order", "gone", "unknown", "refused", "never", "wait", "broken", "strange",
)  # fmt: skip
"""How an answer reads: there is an order; there was one; it is not known, poll it; no order, by a verdict; no order now
or ever; ask again; no whole answer came; an answer that makes no sense."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One purchase that a buyer sends, perhaps for the second time with the same key."""

    no: int
    buyer: str
    key: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Told:
    """One answer to one request."""

    attempt: Attempt
    sent_ms: int
    got_ms: int
    meaning: str
    status: int = 0
    verdict: str = ""
    order: str = ""
    """The order that the answer names; for a poll, the order that was asked for."""
    poll: str = ""
    available: int = 0
    state: str = ""
    polled: bool = False
    """Whether this was the answer to polling an order, not to a purchase."""
    detail: str = ""


class History:
    """Everything that was told in one run. Many buyers write at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._lock = threading.Lock()
        self.told: list[Told] = []
        self.orders: set[str] = set()
        """Ids of the orders that somebody was told about."""

    def tell(self, told: Told) -> Told:
        """Keep one answer; return it."""
        with self._lock:
            self.told.append(told)
            if told.meaning in (ORDER, GONE):
                self.orders.add(told.order)
            self._write({"at_ms": told.got_ms, **{name: value for name, value in asdict(told).items() if value}})
        return told

    def note(self, what: str, **more: Any) -> None:
        """Keep what the run did: faults, healing, findings."""
        with self._lock:
            self._write({"at_ms": now_ms(), "what": what, **more})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


@contextmanager
def recorded(path: Path) -> Iterator[History]:
    """A history that goes to this file."""
    history = History(path)
    try:
        yield history
    finally:
        history.close()


def now_ms() -> int:
    """Milliseconds since 1970: what Redis on the same machine goes by."""
    return int(time.time() * 1000)
