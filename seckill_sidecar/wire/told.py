"""Whom an answer of the storefront names: in a header, in JSON, on a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from seckill_sidecar.errors import StoreError
from seckill_sidecar.ports import Told
from seckill_sidecar.wire import page
from seckill_sidecar.wire.values import Place, member

Read = Callable[[Told], str]
"""The name in an answer, empty if there is none. Raises ``StoreError`` if it can't be read at all."""


def reader(place: Place) -> Read:
    """What reads the name at this place: ``header``, ``json`` or ``page``."""
    name = place.name
    if place.kind == "header":
        return lambda told: _header(told, name)
    if place.kind == "json":
        return lambda told: _in_json(_plain(told), name)
    find = page.finder(name)
    return lambda told: find(_plain(told))


def _header(told: Told, name: str) -> str:
    values = [value for sent, value in told.headers if sent.lower() == name.lower()]
    if len(values) > 1:
        raise StoreError("storefront", f"asked who is buying, it sent {name} more than once")
    return values[0].strip().encode("latin-1").decode(errors="replace") if values else ""


def _plain(told: Told) -> bytes:
    coding = _header(told, "Content-Encoding").lower()
    if coding not in ("", "identity"):
        raise StoreError("storefront", f"asked who is buying, it answered in {coding[:20]}, though it was asked not to")
    return told.body


def _in_json(body: bytes, dotted: str) -> str:
    try:
        found = member(json.loads(body), dotted)
    except (ValueError, RecursionError):
        return ""  # a page to sign in at, say
    return _as_text(found)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
