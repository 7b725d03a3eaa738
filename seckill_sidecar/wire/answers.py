"""What the gate answers: a refusal while it decides, a finished answer at its end."""

from __future__ import annotations

from dataclasses import dataclass

from seckill_sidecar.errors import SeckillError
from seckill_sidecar.model import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, ready to be sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class RateState:
    """The token bucket that ran dry, as the RateLimit fields name it."""

    policy: str
    quota: int
    window: float
    """Seconds in which the quota comes back."""
    reset: float
    """Seconds until one more is let through."""


class Refusal(SeckillError):
    """The purchase goes no further: why, and what the buyer may do about it."""

    def __init__(
        self,
        verdict: Verdict,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        order_id: str | None = None,
        available: int | None = None,
        rate: RateState | None = None,
        reason: str = "",
        page: str = "",
    ) -> None:
        """``detail`` is for the buyer; ``reason`` for the log only; ``order_id`` names what to poll.

        ``page`` is the entry that browsers are shown, if it isn't the verdict's.
        """
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.order_id = order_id
        self.available = available
        self.rate = rate
        self.reason = reason
        self.page = page
