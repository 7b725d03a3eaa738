"""The small value types of the configuration: durations, sizes, rates, shares, times, URLs.

Each is written in YAML as a person would write it and arrives as a plain number (seconds, bytes,
milliseconds) or a frozen record; ``format_…`` is the way back. A value that can't be read raises
``ValueError``; its text continues the sentence "5 parsecs …" and says what would be right.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from seckill_sidecar.model import Rate

_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 366 * 86400.0
_SIZE = re.compile(r"([0-9]{1,15})\s*(B|KiB|MiB|GiB)?", re.ASCII)
_SIZE_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LARGEST = 1 << 40
_RATE = re.compile(
    r"([0-9]{1,9})\s*/\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)?\s*(ms|s|m|h|d)(?:\s*,?\s*burst\s+([0-9]{1,9}))?", re.ASCII
)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPACED_ZONE = re.compile(r"\s+(?=[+-][0-9:]+$|[Zz]$)", re.ASCII)
_NO_TIME = "is no time; write it with its zone, for example 2026-11-11T20:00:00+08:00 (or none)"
_URL_PASSWORD = re.compile(r"(://[^:@]*):.*@", re.DOTALL)
_QUERY_PASSWORD = re.compile(r"([?&]password=)[^&#]*")


# -- durations -------------------------------------------------------------------------------------


def parse_duration(value: Any) -> float:
    """Seconds from ``500ms``, ``3s``, ``15m``, ``2h``, ``1d`` or a bare 0."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise ValueError(f"has no unit; write {value}s, {value}ms or {value}m")
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no duration; write a number and a unit (ms, s, m, h, d), for example 500ms")
    seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError("is longer than a year; write at most 366d")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact way to write it: ``500ms``, ``3s``, ``15m``, ``2h``, ``1d``."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = round(seconds / _DURATION_UNITS[unit])
        if count and count * _DURATION_UNITS[unit] == seconds:
            return f"{count}{unit}"
    return f"{Decimal(repr(seconds)):f}s" if seconds else "0s"


# -- sizes -----------------------------------------------------------------------------------------


def parse_size(value: Any) -> int:
    """Bytes from ``64KiB``, ``1MiB`` or a bare number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no size; write a number and a unit (B, KiB, MiB, GiB), for example 64KiB")
    size = int(match[1]) * _SIZE_UNITS[match[2]]
    if size > _LARGEST:
        raise ValueError("is too much; write at most 1024GiB")
    return size


def format_size(size: int) -> str:
    """The shortest exact way to write it: ``64KiB``, ``1MiB``, ``100B``."""
    units = {factor: unit or "B" for unit, factor in _SIZE_UNITS.items()}
    factor = max(factor for factor in units if size % factor == 0 and (size or factor == 1))
    return f"{size // factor}{units[factor]}"


# -- rates -----------------------------------------------------------------------------------------


def parse_rate(value: Any) -> Rate | None:
    """A token bucket from ``5/s``, ``10/2s`` or ``5/s burst 20``; ``off`` is None."""
    if isinstance(value, Rate) or value is None:
        return value
    if value == "off" or value is False:  # other YAML readers take a bare off for false
        return None
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no rate; write for example 5/s, 10/2s, or 5/s burst 20 (or off)")
    count, per = int(match[1]), float(match[2] or 1) * _DURATION_UNITS[match[3]]
    burst = int(match[4]) if match[4] else count
    if count < 1 or burst < 1 or not 0 < per <= _LONGEST:
        raise ValueError("lets nothing through; write 1/s or more, or off to have no limit")
    return Rate(count=count, per=per, burst=burst)


def format_rate(rate: Rate | None) -> str:
    """As it is written in YAML: ``5/s``, ``10/2s burst 20``, ``off``."""
    if rate is None:
        return "off"
    per = re.sub(r"^1(?=[a-z])", "", format_duration(rate.per))
    return f"{rate.count}/{per}" + (f" burst {rate.burst}" if rate.burst != rate.count else "")


# -- shares ----------------------------------------------------------------------------------------


def parse_share(value: Any) -> float:
    """From 0 to 1, of ``1%``, ``none`` or a number like 0.01."""
    if value == "none":
        return 0.0
    match = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        value = float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is no share; write for example 1%, 0.5%, or none")
    if not 0 <= value <= 1:
        raise ValueError("is no share of a whole; write 0% to 100%")
    return float(value)


def format_share(share: float) -> str:
    """As it is written in YAML: ``1%``, ``none``."""
    return f"{share * 100:.10g}%" if share else "none"


# -- times -----------------------------------------------------------------------------------------


def parse_moment(value: Any) -> int:
    """Milliseconds since 1970 UTC from an ISO 8601 time with a zone; ``none`` is 0, "no bound"."""
    if value == "none":
        return 0
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(_SPACED_ZONE.sub("", value.strip().upper()))
        except ValueError as error:
            raise ValueError(_NO_TIME) from error
    if not isinstance(value, datetime):
        raise ValueError(_NO_TIME)
    if value.tzinfo is None:
        raise ValueError("has no time zone; add Z or an offset, for example +08:00")
    moment = (value - _EPOCH) // timedelta(milliseconds=1)
    if moment < 1:
        raise ValueError("lies before 1970; write none for no bound")
    return moment


def format_moment(moment: int) -> str:
    """ISO 8601 in UTC, for example ``2026-11-11T12:00:00Z``; 0 is ``none``."""
    if not moment:
        return "none"
    text = (_EPOCH + timedelta(milliseconds=moment)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


# -- URLs ------------------------------------------------------------------------------------------


def masked(url: str) -> str:
    """A store's URL as it may be shown: its password, wherever it stands, is ``***``."""
    return _QUERY_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", url))


# -- as field types --------------------------------------------------------------------------------


def _written(pattern: re.Pattern[str], *others: dict[str, Any]) -> dict[str, Any]:
    """What an editor accepts: text of this pattern, or one of ``others``."""
    return {"anyOf": [{"type": "string", "pattern": rf"^\s*{pattern.pattern}\s*$"}, *others]}


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(_written(_DURATION, {"const": 0}) | {"examples": ["500ms", "3s", "15m"]}),
]
"""Seconds."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema(_written(_SIZE, {"type": "integer", "minimum": 0}) | {"examples": ["64KiB", "1MiB"]}),
]
"""Bytes."""

RateLimit = Annotated[
    Rate | None,
    BeforeValidator(parse_rate),
    PlainSerializer(format_rate, return_type=str, when_used="json"),
    WithJsonSchema(_written(_RATE, {"enum": ["off", False, None]}) | {"examples": ["5/s", "5/s burst 20", "off"]}),
]
"""A token bucket; None is no limit."""

Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(format_share, return_type=str, when_used="json"),
    WithJsonSchema(
        _written(_SHARE, {"const": "none"}, {"type": "number", "minimum": 0, "maximum": 1})
        | {"examples": ["1%", "none"]}
    ),
]
"""From 0 to 1."""

Moment = Annotated[
    int,
    BeforeValidator(parse_moment),
    PlainSerializer(format_moment, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["2026-11-11T20:00:00+08:00", "none"]}),
]
"""Milliseconds since 1970 UTC; 0 is no bound."""

StoreUrl = Annotated[str, PlainSerializer(masked, return_type=str, when_used="json")]
"""A store's URL in clear; shown and dumped to JSON without its password."""
