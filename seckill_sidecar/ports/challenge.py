"""What is asked of the challenges that tell people from bots, and of where their solutions are burned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seckill_sidecar.clock import Deadline


@dataclass(frozen=True, slots=True)
class Aim:
    """What a solution is wanted for."""

    route: str
    """The route's name."""
    seals: Sequence[str]
    """Of whom and what it may have been given for: a challenge is given under one seal, its solution accepted under
    each of these. 32 hex digits."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A true solution."""

    solution: str
    """What tells it from every other solution, in whatever spelling it was sent."""
    until: float
    """The moment after which it is refused anyway, in Unix seconds."""


class Challenge(Protocol):
    """One kind of challenge. Any process of any host of the site accepts what another one gave."""

    def give(self, route: str, seal: str) -> Mapping[str, Any]:
        """A new challenge as JSON shows it. Raises ``TooBusy`` if there is none at this moment."""

    def examine(self, said: Mapping[str, str], aim: Aim, deadline: Deadline) -> Solved:
        """The solution that a client has said: ``solution``, and where there are two parts ``challenge``.

        Raises ``Unsolved`` if it is none, and ``StoreError`` if that can't be found out. It is not burned here.
        """


class Burns(Protocol):
    """Remembers for all hosts what each solution was used for."""

    def burn(self, solution: str, use: str, seconds: float, deadline: Deadline) -> str | None:
        """Note the use of a solution for so many seconds, unless one is noted already: then that one is returned."""

    def used(self, solution: str, deadline: Deadline) -> str | None:
        """What a solution was used for, None if it was not."""

    def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of some characters."""

    png: bytes
    answer: str
    """In capitals."""


class Pictures(Protocol):
    """Pictures that were drawn before anybody asked."""

    def pick(self) -> Picture | None:
        """One of them by chance; None if there is none yet."""
