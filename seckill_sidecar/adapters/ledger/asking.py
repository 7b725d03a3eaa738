"""How a purchase is put to reserve.lua: which keys, which arguments, and what its idempotency key is bound to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from seckill_sidecar.adapters.ledger import scripts
from seckill_sidecar.adapters.ledger.admitting import AdmissionRules, bucket
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID, Line
from seckill_sidecar.clock import Deadline
from seckill_sidecar.model import Purchase, Rate


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """What ``reserve`` is told besides the purchase."""

    buyer_rate: Rate | None = None
    address_rate: Rate | None = None
    outbox_bound: int = 1_000_000
    idempotency_seconds: float = 86_400.0
    admission: AdmissionRules = field(default_factory=AdmissionRules)
    orders_per_address: int | None = None
    """Orders an address may hold or have paid; None for no cap."""
    address_key: bytes = b""
    """What keeps addresses from being read out of the ledger, 64 bytes at most."""

    def rate_arguments(self) -> tuple[int, int, int, int]:
        """Interval in microseconds and burst, of the buyer's and of the address's bucket."""
        return (*bucket(self.buyer_rate), *bucket(self.address_rate))


class Asking:
    """Puts purchases to reserve.lua, on the keys of one ledger."""

    def __init__(self, line: Line, keys: Keys, rules: LedgerRules) -> None:
        self._line = line
        self._keys = keys
        self._rules = rules
        self._rates = rules.rate_arguments()
        self._per_address = rules.orders_per_address or 0

    def keys_of(self, purchase: Purchase) -> list[str]:
        """The script's KEYS."""
        keys = [self._keys.of(purchase.item, part) for part in scripts.RESERVE.keys[:-2]]
        return [*keys, self._keys.rate_buyer(purchase), self._keys.rate_address(purchase)]

    def argv_of(self, purchase: Purchase, seen: tuple[int, int], now_us: str) -> tuple[Any, ...]:
        """The script's ARGV; ``seen`` is the epoch, and the event of it, that the ledger must have at least."""
        admission = purchase.admission
        return (
            purchase.order_id,
            purchase.buyer,
            purchase.quantity,
            purchase.key or "",
            purchase.item,
            "" if purchase.hold_ms is None else purchase.hold_ms,
            purchase.traceparent,
            RUN_ID,
            *seen,
            self._rules.outbox_bound,
            *self._rates,
            "" if admission is None else admission.nonce,
            0 if admission is None else admission.until_ms,
            self._counted(purchase) if self._per_address else "",
            self._per_address,
            now_us,
        )

    def _counted(self, purchase: Purchase) -> str:
        """What stands for the client's address in this item's books; empty if nobody knows it."""
        if not purchase.address:
            return ""
        text = f"{purchase.item}\n{purchase.address}".encode()
        return hashlib.blake2b(text, digest_size=12, key=self._rules.address_key).hexdigest()

    def bind(self, purchase: Purchase, deadline: Deadline) -> bool:
        """Bind the idempotency key to this purchase, across items; False if it is bound to another.

        The item's own keys can't see a key used for another item: that is another slot of a Cluster. Binding
        first is safe, since it says only what the key means, not that anything was sold.
        """
        seconds = max(1, int(self._rules.idempotency_seconds))
        name, meaning = self._keys.binding(purchase), purchase.fingerprint
        bound = self._line.ask("SET", name, meaning, "NX", "GET", "EX", seconds, deadline=deadline)
        return bound is None or bound.decode() == meaning
