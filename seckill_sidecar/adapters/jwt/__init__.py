"""JSON Web Tokens of others: the only folder that imports joserfc."""

from __future__ import annotations

from collections.abc import Callable

from seckill_sidecar.adapters.jwt.fresh_keys import FreshKeys
from seckill_sidecar.adapters.jwt.key_set import file_reader, keys_in, shared_secret
from seckill_sidecar.adapters.jwt.tokens import JwtTokens
from seckill_sidecar.clock import Clock
from seckill_sidecar.settings.buyers import JwtSettings

__all__ = ["FreshKeys", "JwtTokens", "connect_tokens"]

_FILE = "file:"


def connect_tokens(settings: JwtSettings, fetch: Callable[[str], bytes], clock: Clock) -> JwtTokens:
    """The tokens of one configuration. ``fetch`` gets what stands at a URL, and raises ``StoreError``.

    No key is looked up before the first token comes.
    """
    if settings.secret is not None:
        held = shared_secret(settings.secret.get_secret_value())
        return JwtTokens(settings, lambda _kid, _deadline: held, clock)
    place = settings.keys or ""
    read = file_reader(place.removeprefix(_FILE)) if place.startswith(_FILE) else lambda: fetch(place)
    keys = FreshKeys(place, lambda: keys_in(read(), settings.algorithms), settings.refresh, settings.retry, clock)
    return JwtTokens(settings, keys.for_kid, clock)
