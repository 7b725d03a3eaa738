"""How a wish for admission is put to admit.lua."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID
from seckill_sidecar.model import Rate


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """When admissions are given, for how long, and how often somebody may ask."""

    before_ms: int = 0
    """From so long before the opening on."""
    lifetime_ms: int = 300_000
    buyer_rate: Rate | None = None
    address_rate: Rate | None = None


class Admitting:
    """Puts wishes to admit.lua."""

    def __init__(self, keys: Keys, rules: AdmissionRules) -> None:
        self._keys = keys
        self._terms = (rules.before_ms, rules.lifetime_ms, *bucket(rules.buyer_rate), *bucket(rules.address_rate))

    def call(self, sku: str, buyer: str, address: str, now_us: str) -> tuple[list[str], tuple[Any, ...]]:
        """The script's KEYS and ARGV."""
        keys = [
            self._keys.of(sku, "item"),
            self._keys.of(sku, "orders"),
            self._keys.admission_rate(sku, "buyer", buyer),
            self._keys.admission_rate(sku, "address", address),
        ]
        return keys, (RUN_ID, *self._terms, now_us)


def bucket(rate: Rate | None) -> tuple[int, int]:
    """A rate as the scripts take it: microseconds a token, and burst; zeros for no limit."""
    return (0, 0) if rate is None else (max(1, round(rate.per * 1_000_000 / rate.count)), rate.burst)
