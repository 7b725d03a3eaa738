"""The only module that spells key names.

Every key of an item carries the hash tag ``{sku}``, so that each script touches one slot of a Cluster.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from seckill_sidecar.model import Purchase


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of keys under one prefix."""

    prefix: str

    def of(self, sku: str, part: str) -> str:
        """A key of an item: ``item buyers orders keys due outbox sealed``."""
        return f"{self.prefix}:{{{sku}}}:{part}"

    def rate_buyer(self, purchase: Purchase) -> str:
        return f"{self.prefix}:{{{purchase.item}}}:rate:buyer:{purchase.buyer}"

    def rate_address(self, purchase: Purchase) -> str:
        return f"{self.prefix}:{{{purchase.item}}}:rate:address:{purchase.address}"

    def binding(self, purchase: Purchase) -> str:
        """What an idempotency key is bound to, across items; hashed, since a client chose it."""
        digest = hashlib.sha256(f"{len(purchase.buyer)}:{purchase.buyer}{purchase.key}".encode()).hexdigest()
        return f"{self.prefix}:binding:{digest[:32]}"

    @property
    def index(self) -> str:
        """Set of the SKUs that were ever loaded."""
        return f"{self.prefix}:items"

    @property
    def probe(self) -> str:
        """A key that is written for a second, to see whether that can be done."""
        return f"{self.prefix}:probe"
