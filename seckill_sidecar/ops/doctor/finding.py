"""What the doctor says: one finding a line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is; a higher one is worse."""

    OK = 0
    SKIPPED = 1
    WARN = 2
    FAIL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    """Whom it is about: ``redis``, ``rabbitmq``, ``database``, ``replica``, ``storefront``, ``nginx``, ``clocks``,
    ``host``."""
    check: str
    """What was looked at; a name for programs, one word or two with a hyphen."""
    says: str
    """What was found, and what it means."""
    remedy: str = ""
    """How to mend it; empty if there is nothing to mend."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Writes findings about one subject."""

    name: str

    def ok(self, check: str, says: str) -> Finding:
        """As it should be."""
        return Finding(Level.OK, self.name, check, says)

    def skipped(self, check: str, says: str) -> Finding:
        """Not looked at, and why."""
        return Finding(Level.SKIPPED, self.name, check, says)

    def warn(self, check: str, says: str, remedy: str) -> Finding:
        """A sale works, but not as well as it could."""
        return Finding(Level.WARN, self.name, check, says, remedy)

    def fail(self, check: str, says: str, remedy: str) -> Finding:
        """A sale would fail, or lose or sell twice what it must not."""
        return Finding(Level.FAIL, self.name, check, says, remedy)
