"""The ledger's adapter: the only folder that imports redis."""

from __future__ import annotations

import hashlib
from pathlib import Path

from seckill_sidecar.adapters.ledger.admitting import AdmissionRules
from seckill_sidecar.adapters.ledger.asking import LedgerRules
from seckill_sidecar.adapters.ledger.burns import RedisBurns
from seckill_sidecar.adapters.ledger.embedded import start_embedded
from seckill_sidecar.adapters.ledger.examination import examine
from seckill_sidecar.adapters.ledger.fence import Fence, Witness
from seckill_sidecar.adapters.ledger.invitations import RedisInvitations
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import Line
from seckill_sidecar.adapters.ledger.redis_ledger import RedisLedger, sku_of
from seckill_sidecar.adapters.ledger.shadow_ledger import ShadowLedger
from seckill_sidecar.adapters.ledger.standings import RedisStandings
from seckill_sidecar.adapters.ledger.switches import RedisSwitches
from seckill_sidecar.clock import Clock
from seckill_sidecar.ports import LedgerVitals
from seckill_sidecar.settings.schema import Settings

__all__ = [
    "AdmissionRules", "Keys", "LedgerRules", "Line", "RedisBurns", "RedisInvitations", "RedisLedger", "RedisStandings",
    "RedisSwitches", "ShadowLedger", "connect_burns", "connect_invitations", "connect_ledger", "connect_shadow",
    "connect_standings", "connect_switches", "examine_ledger", "sku_of",
]  # fmt: skip


def connect_ledger(settings: Settings, clock: Clock, witness: Witness | None = None) -> RedisLedger:
    """The ledger that the settings name. Connects at the first call; starts the bundled server if it is that.

    ``witness`` says how far the database has seen an item come; without it an unverified item stays refused.
    """
    fence = Fence(witness, clock) if witness else None
    return RedisLedger(_line(settings, clock), Keys(settings.ledger.prefix), _rules(settings), clock, fence=fence)


def connect_shadow(settings: Settings, clock: Clock) -> ShadowLedger:
    """What lies beside that ledger for routes in shadow, on a connection of its own: no purchase waits for it."""
    return ShadowLedger(_line(settings, clock), Keys(settings.ledger.prefix), _rules(settings))


def connect_burns(settings: Settings, clock: Clock) -> RedisBurns:
    """Which solutions of challenges were used, on a connection of its own."""
    return RedisBurns(_line(settings, clock), Keys(settings.ledger.prefix))


def connect_switches(settings: Settings, clock: Clock) -> RedisSwitches:
    """What operators say of routes, on a connection of its own."""
    return RedisSwitches(_line(settings, clock), Keys(settings.ledger.prefix))


def connect_invitations(settings: Settings, clock: Clock) -> RedisInvitations:
    """Which buyers are invited, on a connection of its own."""
    return RedisInvitations(_line(settings, clock), Keys(settings.ledger.prefix))


def _rules(settings: Settings) -> LedgerRules:
    return LedgerRules(
        buyer_rate=settings.limits.buyer,
        address_rate=settings.limits.address,
        outbox_bound=settings.ledger.outbox,
        idempotency_seconds=settings.ledger.idempotency,
        admission=AdmissionRules(
            before_ms=int(settings.admission.before * 1000),
            lifetime_ms=int(settings.admission.lifetime * 1000),
            buyer_rate=settings.admission.buyer,
            address_rate=settings.admission.address,
        ),
        orders_per_address=settings.limits.orders_per_address,
        address_key=_address_key(settings),
    )


def _address_key(settings: Settings) -> bytes:
    # The oldest key: a new one that comes before it changes what stands for nobody.
    secret = settings.keys[-1].secret.get_secret_value() if settings.keys else ""
    return hashlib.blake2b(f"address\n{secret}".encode(), digest_size=32).digest()


def connect_standings(settings: Settings, clock: Clock) -> RedisStandings:
    """The same ledger, to be looked at by whoever keeps the shield; on a connection of its own."""
    return RedisStandings(_line(settings, clock), Keys(settings.ledger.prefix))


def examine_ledger(settings: Settings, clock: Clock) -> LedgerVitals:
    """How fit the server is for a sale, asked over a connection of its own. Raises ``StoreError`` if it can't be."""
    line = _line(settings, clock)
    try:
        return examine(line, Keys(settings.ledger.prefix), clock)
    finally:
        line.close()


def _line(settings: Settings, clock: Clock) -> Line:
    url = settings.stores.redis
    if url == "embedded":
        url = start_embedded(Path(settings.stores.embedded_dir))
    return Line(
        url,
        clock,
        timeout=settings.timeouts.ledger,
        connect_timeout=settings.timeouts.connect,
        batch=settings.ledger.batch,
        bound=2 * settings.limits.in_flight,
    )
