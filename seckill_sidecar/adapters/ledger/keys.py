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
    side: str = ""
    """What tells a ledger that lies beside the item's own: ``shadow:``. It has no index, so that nobody finds it who
    does not ask for it."""

    @property
    def shadow(self) -> Keys:
        """The names of an item's shadow, in the same slot."""
        return Keys(self.prefix, "shadow:")

    def of(self, sku: str, part: str) -> str:
        """A key of an item: ``item buyers orders keys due outbox sealed admitted addresses invited``."""
        return f"{self.prefix}:{{{sku}}}:{self.side}{part}"

    def rate_buyer(self, purchase: Purchase) -> str:
        return f"{self.prefix}:{{{purchase.item}}}:{self.side}rate:buyer:{purchase.buyer}"

    def rate_address(self, purchase: Purchase) -> str:
        return f"{self.prefix}:{{{purchase.item}}}:{self.side}rate:address:{purchase.address}"

    def admission_rate(self, sku: str, scope: str, who: str) -> str:
        """How often was asked for admission by ``who``, a buyer or an address, as ``scope`` says."""
        return f"{self.prefix}:{{{sku}}}:rate:admission:{scope}:{who}"

    def binding(self, purchase: Purchase) -> str:
        """What an idempotency key is bound to, across items; hashed, since a client chose it."""
        digest = hashlib.sha256(f"{len(purchase.buyer)}:{purchase.buyer}{purchase.key}".encode()).hexdigest()
        return f"{self.prefix}:{self.side}binding:{digest[:32]}"

    def solution(self, solution: str) -> str:
        """What the solution of a challenge was used for; hashed, since a client may have chosen it."""
        return f"{self.prefix}:solution:{hashlib.sha256(solution.encode(errors='replace')).hexdigest()[:32]}"

    @property
    def index(self) -> str:
        """Set of the SKUs that were ever loaded."""
        return f"{self.prefix}:items"

    @property
    def routes(self) -> str:
        """Hash of what operators have said of routes, by name."""
        return f"{self.prefix}:routes"

    @property
    def probe(self) -> str:
        """A key that is written for a second, to see whether that can be done."""
        return f"{self.prefix}:probe"
