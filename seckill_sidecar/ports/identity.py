"""What is asked of those who know a buyer that a request does not name by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from seckill_sidecar.clock import Deadline

Fields = Sequence[tuple[str, str]]
"""Header fields, as (name, value)."""


@dataclass(frozen=True, slots=True)
class Told:
    """The storefront's answer to the question who is signed in; its body as far as it was read."""

    status: int
    headers: Fields
    body: bytes


class Whoami(Protocol):
    """The storefront, asked who is signed in."""

    def ask(self, fields: Fields, deadline: Deadline) -> Told:
        """Its answer to these header fields. Raises ``StoreError`` if there is none in time."""


class Tokens(Protocol):
    """Tokens that somebody else has signed."""

    def buyer(self, token: str, deadline: Deadline) -> str:
        """The buyer that a token names.

        Raises ``UntrustedToken``, or ``StoreError`` if nobody can tell at this moment whether it is one.
        """
