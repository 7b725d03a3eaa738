"""What is asked of a breaker."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Breaker(Protocol):
    """Guards calls to one store."""

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""

    def calling(self) -> AbstractContextManager[None]:
        """Run the body as one guarded call; raises ``BreakerOpen`` instead if the store is left alone."""
