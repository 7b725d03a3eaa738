"""The Lua scripts: their source, and the names of what each takes, in order.

A test holds these names against the header of each ``.lua`` file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """One script as the server knows it."""

    name: str
    keys: tuple[str, ...]
    argv: tuple[str, ...]
    source: str
    sha: str

    @classmethod
    def read(cls, name: str, keys: str, argv: str) -> Script:
        source = (files("seckill_sidecar.lua") / f"{name}.lua").read_text(encoding="utf-8")
        sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        return cls(name, tuple(keys.split()), tuple(argv.split()), source, sha)


RESERVE = Script.read(
    "reserve",
    keys="item buyers orders keys due outbox sealed admitted addresses rate_buyer rate_address",
    argv="order_id buyer quantity key sku hold traceparent run_id epoch least outbox_bound "
    "buyer_interval buyer_burst address_interval address_burst nonce admitted_until address per_address now",
)
ADMIT = Script.read(
    "admit",
    keys="item orders rate_buyer rate_address",
    argv="run_id before lifetime buyer_interval buyer_burst address_interval address_burst now",
)
SETTLE = Script.read(
    "settle",
    keys="item buyers orders due outbox sealed addresses",
    argv="order_id state reason sku run_id epoch least now",
)
LOAD = Script.read(
    "load",
    keys="item buyers orders keys due outbox addresses",
    argv="action units status opens_at closes_at per_buyer hold replaces epoch run_id",
)
REBUILD = Script.read(
    "rebuild",
    keys="item buyers orders keys due outbox new_buyers new_orders new_keys new_due rebuild addresses",
    argv="action run_id now content rebuild",
)
SHADOW = Script.read(
    "shadow",
    keys="real item buyers orders keys due outbox admitted addresses",
    argv="action run_id lifetime",
)
PERMITTED = Script.read("permitted", keys="item", argv="")
ALL = (RESERVE, ADMIT, SETTLE, LOAD, REBUILD, SHADOW, PERMITTED)
