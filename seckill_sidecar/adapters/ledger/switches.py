"""What operators say of routes, kept in the ledger's server, where all hosts see it: one small hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import STORE, Line
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.model import Mode, Override, Stance

_LONGEST = 1000
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999: what is later has no date."""


class RedisSwitches:
    """``ports.Switches`` on one Redis."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def read(self, routes: Sequence[str], deadline: Deadline) -> Mapping[str, Override]:
        """What stands there of these routes. Raises ``LedgerUntrusted`` if something else stands there."""
        if not routes:
            return {}
        found = self._line.ask("HMGET", self._keys.routes, *routes, deadline=deadline)
        return {route: _read(route, text) for route, text in zip(routes, found, strict=True) if text is not None}

    def put(self, route: str, override: Override, deadline: Deadline) -> None:
        """Let this hold for a route until it is reset."""
        stance = override.stance
        record = {"mode": stance.mode, "percent": stance.percent, "by": override.by, "at": override.at_ms}
        self._line.ask("HSET", self._keys.routes, route, json.dumps(record), deadline=deadline)

    def reset(self, route: str, deadline: Deadline) -> None:
        """Leave the route to its configuration again."""
        self._line.ask("HDEL", self._keys.routes, route, deadline=deadline)

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()


def _read(route: str, text: bytes) -> Override:
    try:
        record = json.loads(text[:_LONGEST])
        mode, percent, by, at_ms = (record[name] for name in ("mode", "percent", "by", "at"))
        return Override(Stance(Mode(mode), _whole(percent, 100)), _name(by), _whole(at_ms, _LAST_MS))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LedgerUntrusted(
            STORE,
            f"what is said there of route {route} can't be read ({error}); run: seckill-sidecar route {route} --reset",
        ) from error


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no whole number up to {most}")
    return value


def _name(value: object) -> str:
    """It is shown on terminals."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no name")
    return value
