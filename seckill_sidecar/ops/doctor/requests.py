"""Purchases of what does not exist, as a route has them, and as a generous storefront might take them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from seckill_sidecar.settings.schema import Route

SKU = "seckill-probe"
"""No item that is on sale."""
_NAME = re.compile(r"\{[a-z_][a-z0-9_]*\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Probe:
    """One request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def purchase_of(route: Route) -> Probe | None:
    """A purchase by this route; None if its item is fixed, for that one may exist."""
    if isinstance(route.item, str):
        return None
    query, form = dict(route.query), dict(route.form)
    headers = {"Host": route.host} if route.host else {}
    where = route.item
    if where.kind == "query":
        query[where.name] = SKU
    elif where.kind == "form":
        form[where.name] = SKU
    elif where.kind == "header":
        headers[where.name] = SKU
    elif where.kind == "cookie":
        headers["Cookie"] = f"{where.name}={SKU}"
    body = urlencode(form).encode()
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif "json" in (where.kind, route.idempotency and route.idempotency.kind):
        headers["Content-Type"] = "application/json"
        body = json.dumps(_document(where.name) if where.kind == "json" else {}).encode()
    return Probe(route.methods[0], _NAME.sub(SKU, route.path), urlencode(query), headers, body)


def _document(dotted: str) -> Any:
    """JSON that has the item in this place."""
    value: Any = SKU
    for part in reversed(dotted.split(".")):
        is_index = part.isascii() and part.isdigit()
        value = [*[None] * int(part), value] if is_index else {part: value}
    return value


def spellings(path: str) -> list[str]:
    """Other ways to write a path: nginx must send each to the gate, since the storefront may take it."""
    first = path[1:2]
    encoded = f"/%{ord(first):02x}{path[2:]}" if first else path
    ways = [
        path.upper(), f"{path}/", f"{path};x", f"{path}%20", f"/{path}", f"/.{path}", f"/x/..{path}", encoded,
        encoded.replace("%", "%25"), f"/index.php{path}",
    ]  # fmt: skip
    return list(dict.fromkeys(way for way in ways if way != path))
