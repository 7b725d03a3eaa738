"""Fields of the query string and cookies as the gate sees them: nginx's own variables overlook case and repetition.

``$arg_sku`` is the first ``sku`` or ``SKU``; the gate knows only one ``sku``, and refuses two. So each field that
matters has a map that holds its value, raw, if it stands there exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seckill_sidecar.ops.nginx.sight import variable
from seckill_sidecar.settings.schema import Route, Source

UNCLEAR = "$seckill_unclear"
"""Not empty if a letter or digit in a name of the query string is encoded, which only the gate reads."""
_ENCODED = "%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])"


def seen(source: Source) -> str | None:
    """The variable that holds a value as the gate would read it, or nothing; None if there is none."""
    name = source.name if source.name.islower() else f"x{source.name.encode().hex()}"  # nginx knows no case
    return variable(source) if source.kind == "header" or not variable(source) else f"$seckill_{source.kind}_{name}"


def maps(routes: Iterable[Route]) -> Iterator[str]:
    """The maps of all fields that these routes need."""
    sources = {(source.kind, source.name): source for route in routes for source in _fields(route)}
    if any(kind == "query" for kind, _ in sources):
        yield "\n# Fields as the gate reads them: by their exact name, and once only."
        yield f'map $args {UNCLEAR} {{\n    "~(?:^|&)[^=&]*{_ENCODED}" 1;\n    default "";\n}}'
    for source in sources.values():
        pattern = _in_a_query(source.name) if source.kind == "query" else _in_cookies(source.name)
        whole = "$args" if source.kind == "query" else "$http_cookie"
        yield f'map {whole} {seen(source)} {{\n    "~{pattern}" $seckill_value;\n    default "";\n}}'


def passes(route: Route) -> str:
    """What is not empty if a request may belong to somebody who has an order already."""
    asks_query = any(source.kind == "query" for source in [*_fields(route), *_key(route)])
    return "".join([*(_repeated(key) for key in _key(route)), UNCLEAR if asks_query else ""])


def keys(routes: Iterable[Route]) -> Iterator[str]:
    """The maps of the headers that hold a purchase's key: nothing, if it is sent for the first time."""
    headers = {key.name.lower(): key for route in routes for key in _key(route) if key.kind == "header"}
    if headers:
        yield "\n# A key that seckill.js says is a new one belongs to no order yet."
    for key in headers.values():
        yield f"""\
map "$http_seckill_try|{variable(key)}" {_repeated(key)} {{
    "|" "";
    "~^first\\|" "";
    "~\\|." 1;
    default "";
}}"""


def _repeated(key: Source) -> str:
    known = variable(key) or ""
    return f"$seckill_known_{known.removeprefix('$http_')}" if key.kind == "header" and known else known


def _fields(route: Route) -> list[Source]:
    item = [route.item] if isinstance(route.item, Source) else []
    sources = [*(Source(query=name) for name in route.query), *item]
    return [source for source in sources if source.kind in ("query", "cookie") and variable(source)]


def _key(route: Route) -> list[Source]:
    return [route.idempotency] if route.idempotency is not None else []


def _in_a_query(name: str) -> str:
    return rf"^(?!(?:.*&)?{name}(?:[=&].*)?&{name}(?:[=&]|$))(?:.*&)?{name}=(?<seckill_value>[^&]*)"


def _in_cookies(name: str) -> str:
    once = rf"(?!(?:.*[;,])? *{name} *=.*[;,] *{name} *=)"
    return rf"^{once}(?:.*[;,])? *{name} *= *\"?(?<seckill_value>[^;,\" ]*)\"? *(?:[;,]|$)"
