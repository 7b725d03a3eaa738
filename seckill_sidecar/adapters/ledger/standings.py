"""Which items nobody can buy at this moment, read for many items at once and changing nothing.

A reading travels on a line of its own, so that purchases don't wait behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID, Line
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Standing

_FIELDS = ("status", "verified", "total", "free", "held", "paid", "opens_at", "closes_at")


class RedisStandings:
    """``ports.Standings`` on one Redis."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def items(self, deadline: Deadline) -> list[str]:
        """SKUs of all loaded items, sorted."""
        return sorted(sku.decode() for sku in self._line.ask("SMEMBERS", self._keys.index, deadline=deadline))

    def of(self, skus: Sequence[str], deadline: Deadline) -> list[Standing]:
        """How these items stand, in their order, by the server's own time."""
        commands = [("HMGET", self._keys.of(sku, "item"), *_FIELDS) for sku in skus]
        # The line writes the run id of the server that it sends this to, and so learns it by echo.
        run_id, time, *found = self._line.ask_all([("ECHO", RUN_ID), ("TIME",), *commands], deadline=deadline)
        for answer in (run_id, time):
            if isinstance(answer, StoreError):
                raise answer
        now_ms = int(time[0]) * 1000 + int(time[1]) // 1000
        return [_standing(sku, values, run_id, now_ms) for sku, values in zip(skus, found, strict=True)]

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()


def _standing(sku: str, values: Any, run_id: bytes, now_ms: int) -> Standing:
    """The checks of reserve.lua that hold for every buyer, in its order. What it calls unavailable is not gone."""
    if isinstance(values, StoreError):
        return Standing(sku)
    status, verified, *numbers = values
    if verified != run_id or status not in (b"open", b"closed"):
        return Standing(sku)
    try:
        total, free, held, paid, opens_at, closes_at = map(int, numbers)
    except (TypeError, ValueError):
        return Standing(sku)
    if total != free + held + paid:
        return Standing(sku)
    if status == b"closed" or 0 < closes_at <= now_ms:
        return Standing(sku, Verdict.CLOSED)
    if now_ms < opens_at:
        return Standing(sku, Verdict.NOT_OPEN, opens_in=(opens_at - now_ms) / 1000)
    return Standing(sku, Verdict.SOLD_OUT if free == 0 else None)
