"""A result as JSON shows it to its buyer, the same wherever it is told."""

from __future__ import annotations

from typing import Any

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.reply import order_members
from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.gate.results.pace import Pace
from seckill_sidecar.gate.results.result import Result

Members = dict[str, Any]


class Showing:
    """Says how an order stands, and when to ask again."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock

    def members(self, asker: Asker, result: Result) -> Members:
        """The members; ``poll_after_ms`` only while there is more to hear."""
        order = result.order or asker.receipt
        members: Members = {"order": asker.order_id} if order is None else order_members(order)
        if result.order is None:
            members["state"] = result.state
            members.pop("held_until", None)
        members["written"] = result.written
        if not result.final:
            accepted = self._clock.wall() if order is None else order.accepted_at_ms / 1000
            age = max(0.0, self._clock.wall() - accepted)
            members["poll_after_ms"] = int(self._pace.poll_after(age) * 1000)
        return members
