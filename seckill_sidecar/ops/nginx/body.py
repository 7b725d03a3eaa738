"""What ``seckill.js`` is to read of a route's body (``nginx.body: njs``), and of which bodies.

Only bodies that say how long they are, and are short, so that none goes to a file and nobody can fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from seckill_sidecar.ops.nginx.sight import Sight, sees, sees_conditions, sight_of
from seckill_sidecar.settings.schema import Route, Settings, Source

SCRIPT = "seckill.js"
LONGEST = r"[1-9][0-9]{0,3}"
"""The length of a body that is read, as a regular expression."""
BUFFER = "10k"
"""What holds the longest."""
_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "json": r"application/(?:[a-z0-9.-]+\+)?json",
}
_PLAIN = re.compile(r"[A-Za-z0-9_./ -]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What has to be found in a body before nginx may answer."""

    kind: str
    """``form`` or ``json``."""
    item: str | None
    """The item's field; None if nginx sees it elsewhere."""
    key: str | None
    """The idempotency key's: who has one passes."""
    fields: Mapping[str, str]
    """What a form has to say, for it to be a purchase."""

    @property
    def content_type(self) -> str:
        """As a regular expression, up to its parameters."""
        return rf"(?i:{_TYPES[self.kind]})(?:[ ;]|\z)"

    def spelled(self) -> str:
        """As JSON, within nginx's single quotes."""
        parts = {"kind": self.kind, "item": self.item, "key": self.key, "fields": dict(self.fields)}
        return f"'{_object({name: part for name, part in parts.items() if part is not None})}'"


def reading_of(route: Route, settings: Settings) -> Reading | None:
    """What to read of this route's bodies; None if that is nothing, or would not be enough."""
    if settings.nginx.body is None or not settings.shield.enabled or not sees_conditions(route):
        return None
    places = [place for place in (route.item, route.idempotency) if isinstance(place, Source)]
    kinds = {place.kind for place in places if place.kind in _TYPES} | ({"form"} if route.form else set())
    if len(kinds) != 1 or not all(sees(place) or place.kind in kinds for place in places):
        return None
    return Reading(kinds.pop(), _in_body(route.item), _in_body(route.idempotency), route.form)


def sees_one(route: Route, settings: Settings) -> bool:
    """Whether nginx can answer for one item of this route, by itself or with the body read."""
    return sight_of(route) is Sight.ITEM or reading_of(route, settings) is not None


def script() -> str:
    """The text of ``seckill.js``."""
    return files("seckill_sidecar.nginx").joinpath(SCRIPT).read_text(encoding="utf-8")


def _in_body(place: Source | str | None) -> str | None:
    return place.name if isinstance(place, Source) and place.kind in _TYPES else None


def _object(members: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {_value(value)}" for name, value in members.items()) + "}"


def _value(value: object) -> str:
    return _object(value) if isinstance(value, Mapping) else _text(str(value))


def _text(text: str) -> str:
    """A JSON string in which nginx finds no variable, no quote and no end."""
    encoded = text.encode("utf-16-be")
    units = [int.from_bytes(encoded[i : i + 2]) for i in range(0, len(encoded), 2)]
    return f'"{"".join(map(_unit, units))}"'


def _unit(unit: int) -> str:
    return chr(unit) if _PLAIN.fullmatch(chr(unit)) else f"\\u{unit:04x}"
