"""One running site as the demo sees it: where buyers go, and where the accounts are read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shop.signature import buyer_token
from stack import Server

from demo.accounts import Accounts
from demo.play import Address

COOKIE_LIVES_S = 86_400


@dataclass(frozen=True, slots=True)
class Secret:
    """The key that the shop and the sidecar share in this run."""

    key: str = "demo"
    value: str = field(default_factory=lambda: secrets.token_hex(16))

    def cookie(self, buyer: str) -> str:
        """The Cookie header of a buyer whom the shop has logged in."""
        expires = int(time.time()) + COOKIE_LIVES_S
        return f"seckill_buyer={buyer_token(buyer, self.key, self.value.encode(), expires)}"


@dataclass(frozen=True, slots=True)
class Home:
    """What all programs of a site share: a folder, a secret, a configuration file."""

    folder: Path
    secret: Secret = field(default_factory=Secret)

    @property
    def config(self) -> Path:
        return self.folder / "seckill.yaml"


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that was started, ready for buyers."""

    front: Address
    """Where buyers go: nginx, or the sidecar where there is none."""
    sidecar: Address
    shop: Address
    home: Home
    accounts: Accounts
    servers: Sequence[Server]
    """All that must keep running."""
    piles: Mapping[str, Server] = field(default_factory=dict)
    """The stores that KILL can freeze, by its word for them."""
