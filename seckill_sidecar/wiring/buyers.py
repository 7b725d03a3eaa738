"""Who buys: read from requests, or known to somebody whom a request does not name by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property, partial

from seckill_sidecar.adapters.jwt import connect_tokens
from seckill_sidecar.adapters.storefront.fetching import fetch
from seckill_sidecar.adapters.storefront.whoami import StorefrontWhoami
from seckill_sidecar.clock import Deadline, order_ids
from seckill_sidecar.errors import UsageError
from seckill_sidecar.gate.asked import StorefrontsWord
from seckill_sidecar.gate.bearer import BearersToken
from seckill_sidecar.gate.identify import Identifier, Knows
from seckill_sidecar.settings.buyers import AskSettings, JwtSettings
from seckill_sidecar.settings.schema import BuyerSource
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wiring.stores import Stores


class Buyers(Stores):
    """The buyers of one site."""

    @cached_property
    def acquaintances(self) -> Mapping[int, Knows]:
        """By the ``id`` of a ``BuyerSource``. Sources that say the same share what they remember."""
        settings, made = self.settings, dict[AskSettings | JwtSettings, Knows]()
        sources = (settings.identity.buyer, *(route.buyer for route in settings.routes))
        found = {}
        for source in sources:
            if source is not None and source.elsewhere is not None:
                if source.elsewhere not in made:
                    made[source.elsewhere] = self._knows(source.elsewhere)
                found[id(source)] = made[source.elsewhere]
        return found

    @cached_property
    def _identifier(self) -> Identifier:
        return Identifier(
            self.settings.identity,
            self.keyring,
            self.settings.limits.body,
            self.clock,
            order_ids(self.clock),
            self.acquaintances,
        )

    def who_asks(self, request: Request, source: BuyerSource | None) -> str:
        """The verified buyer of a request that is no purchase; raises ``Refusal``."""
        deadline = Deadline.after(self.settings.timeouts.request, self.clock)
        return self._identifier.buyer(request, source, deadline)

    def _knows(self, section: AskSettings | JwtSettings) -> Knows:
        if isinstance(section, JwtSettings):
            look = partial(fetch, "keys", seconds=section.timeout)
            return BearersToken(section.place, connect_tokens(section, look, self.clock))
        settings = self.settings
        url = settings.stores.storefront
        if url is None:
            raise UsageError("stores.storefront is missing: who is buying is asked of the legacy site")
        whoami = StorefrontWhoami(url, section, settings.timeouts, settings.storefront.idle, self.clock)
        return StorefrontsWord(section, whoami, self.breaker("identity"), self.clock, os.urandom(32))
