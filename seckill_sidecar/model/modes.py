"""How far a route is trusted: whether it decides for buyers, only says what it would have decided, or stands aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """What the gate does with a route's purchases."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    """It decides on a ledger of its own and says what it would have done; the storefront serves everybody."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Stance:
    """A mode, and for how many of the buyers: the others are passed on as if it were ``off``."""

    mode: Mode
    percent: int = 100

    @property
    def is_off(self) -> bool:
        """Whether nobody's purchase is looked at."""
        return self.mode is Mode.OFF or self.percent == 0

    @property
    def is_whole(self) -> bool:
        """Whether each of the route's purchases is decided by the gate."""
        return self.mode is Mode.ENFORCE and self.percent == 100

    def __str__(self) -> str:
        return (
            self.mode.value
            if self.percent == 100 or self.mode is Mode.OFF
            else f"{self.mode.value} for {self.percent} %"
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A stance that an operator has put in the place of the configuration's."""

    stance: Stance
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RouteStance:
    """One route: what the configuration says, and what an operator says instead."""

    route: str
    configured: Stance
    override: Override | None = None

    @property
    def now(self) -> Stance:
        """What is in force."""
        return self.configured if self.override is None else self.override.stance

    def __str__(self) -> str:
        text = f"route {self.route}: {self.now}"
        if self.override is None:
            return text
        at = datetime.fromtimestamp(self.override.at_ms / 1000, UTC).isoformat(timespec="seconds")
        return f"{text}, by {self.override.by} at {at}; as configured: {self.configured}"

    def facts(self) -> dict[str, Any]:
        """The same for programs."""
        told: dict[str, Any] = {"route": self.route, "mode": self.now.mode.value, "percent": self.now.percent}
        if self.override is not None:
            configured = {"mode": self.configured.mode.value, "percent": self.configured.percent}
            told["override"] = {"by": self.override.by, "at_ms": self.override.at_ms, "configured": configured}
        return told
