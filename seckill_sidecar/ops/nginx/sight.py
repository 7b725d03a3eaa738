"""What nginx can see of a purchase: enough to say of which item it is, of any at all, or not even that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from seckill_sidecar.settings.schema import Route, Source

_IN_A_VARIABLE = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_VARIABLES = {"query": "arg", "header": "http", "cookie": "cookie"}


class Sight(Enum):
    """For whose markers nginx may look before it passes a route's request on."""

    ITEM = "the item's"
    ALL = "those of all items together"
    NONE = "nobody's"


def sight_of(route: Route) -> Sight:
    """How far nginx sees into a route's requests."""
    if route.form or not sees_conditions(route):
        return Sight.NONE  # only the body tells whether it is a purchase at all, or only the gate
    if route.idempotency is not None and variable(route.idempotency) is None:
        return Sight.NONE  # who repeats a purchase with its key must get through, and looks like everybody else
    return Sight.ITEM if isinstance(route.item, str) or sees(route.item) else Sight.ALL


def sees(source: Source) -> bool:
    """Whether nginx by itself sees a value from there."""
    return source.kind == "path" or variable(source) is not None


def sees_conditions(route: Route) -> bool:
    """Whether nginx sees all that the query string has to say for this route."""
    return all(variable(Source(query=name)) is not None for name in route.query)


def variable(source: Source) -> str | None:
    """The nginx variable that holds a value of the request, or None if there is none."""
    kind = _VARIABLES.get(source.kind)
    name = source.name.replace("-", "_") if kind == "http" else source.name
    if kind is None or not _IN_A_VARIABLE.fullmatch(name):
        return None
    return f"${kind}_{name.lower()}"


def any_sees_all(routes: Iterable[Route]) -> bool:
    """Whether any of these needs the marker of all items."""
    return any(sight_of(route) is Sight.ALL for route in routes)
