"""What the gate answers: a refusal while it decides, a finished answer at its end."""

from __future__ import annotations

from dataclasses import dataclass

from seckill_sidecar.errors import SeckillError, StoreError
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a buyer has to solve before buying."""

    url: str
    """Where a new challenge is to be had."""
    fields: tuple[str, ...]
    """The fields of a form in which its solution is sent."""


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
        asked: Asked | None = None,
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
        self.asked = asked
        self.reason = reason
        self.page = page


def nobody_can_tell(error: StoreError) -> Refusal:
    """The refusal if whoever knows the buyers is out of reach: not that nobody is signed in."""
    return Refusal(
        Verdict.UNAVAILABLE,
        "the shop can't say who you are at this moment; this try bought nothing",
        retry_after=getattr(error, "retry_after", 1) or 1,
        reason=str(error),
    )
