"""Solutions of challenges that were used: a key each, which expires, in the ledger's server, where all hosts see it."""

from __future__ import annotations

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import Line
from seckill_sidecar.clock import Deadline


class RedisBurns:
    """``ports.Burns`` on one Redis."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def burn(self, solution: str, use: str, seconds: float, deadline: Deadline) -> str | None:
        """Note the use, in one step with the look whether there was one before."""
        life = max(1, int(seconds * 1000))
        name = self._keys.solution(solution)
        return _text(self._line.ask("SET", name, use, "NX", "GET", "PX", life, deadline=deadline))

    def used(self, solution: str, deadline: Deadline) -> str | None:
        """What is noted of it."""
        return _text(self._line.ask("GET", self._keys.solution(solution), deadline=deadline))

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()


def _text(found: bytes | None) -> str | None:
    return None if found is None else found.decode(errors="replace")
