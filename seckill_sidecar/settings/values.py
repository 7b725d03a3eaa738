"""The small value types of the configuration: durations, sizes, rates, times, secrets.

Each is written in YAML as a person would write it and arrives as a plain number (seconds, bytes) or a
frozen record. A value that can't be read raises ``ValueError`` whose text says what would be right.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from seckill_sidecar.model import Rate

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB)?", re.ASCII)
_SIZE_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_RATE = re.compile(r"([0-9]+)\s*/\s*([0-9]+(?:\.[0-9]+)?)?\s*(ms|s|m|h|d)(?:\s*,?\s*burst\s+([0-9]+))?", re.ASCII)


def parse_duration(value: Any) -> float:
    """Seconds from ``500ms``, ``3s``, ``15m``, ``2h``, ``1d`` or a bare 0."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise ValueError(f"{value} has no unit; write {value}s, {value}ms or {value}m")
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no duration; write a number and a unit (ms, s, m, h, d), for example 500ms")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def parse_size(value: Any) -> int:
    """Bytes from ``64KiB``, ``1MiB`` or a bare number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no size; write a number and a unit (B, KiB, MiB, GiB), for example 64KiB")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def parse_rate(value: Any) -> Rate | None:
    """A token bucket from ``5/s``, ``10/2s`` or ``5/s burst 20``; ``off`` is None."""
    if isinstance(value, Rate) or value is None:
        return value
    if value == "off" or value is False:  # YAML 1.1 reads a bare off as false
        return None
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no rate; write for example 5/s, 10/2s, or 5/s burst 20 (or off)")
    count, per = int(match[1]), float(match[2] or 1) * _DURATION_UNITS[match[3]]
    burst = int(match[4]) if match[4] else count
    if count < 1 or per <= 0 or burst < 1:
        raise ValueError("a rate lets at least 1 through; write off to have no limit")
    return Rate(count=count, per=per, burst=burst)


def parse_moment(value: Any) -> int:
    """Milliseconds since 1970 UTC from an ISO 8601 time with a zone, for example 2026-11-11T20:00:00+08:00."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError("is no time; write it with its zone, for example 2026-11-11T20:00:00+08:00") from error
    if not isinstance(value, datetime):
        raise ValueError("is no time; write it with its zone, for example 2026-11-11T20:00:00+08:00")
    if value.tzinfo is None:
        raise ValueError("has no time zone; add Z or an offset, for example +08:00")
    return int(value.astimezone(UTC).timestamp() * 1000)


def _schema(description: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": ["string", "number", "boolean"], "description": description, "examples": [*examples]}
    )


Duration = Annotated[float, BeforeValidator(parse_duration), _schema("a duration", "500ms", "3s", "15m")]
Size = Annotated[int, BeforeValidator(parse_size), _schema("a size in bytes", "64KiB", "1MiB")]
RateLimit = Annotated[
    Rate | None, BeforeValidator(parse_rate), _schema("a token bucket, or off", "5/s", "5/s burst 20")
]
Moment = Annotated[int, BeforeValidator(parse_moment), _schema("a time with its zone", "2026-11-11T20:00:00+08:00")]
