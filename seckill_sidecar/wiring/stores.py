"""The stores of a site, and what is told of them: the ground of all parts."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.broker import RabbitBroker, queue_state
from seckill_sidecar.adapters.ledger import (
    RedisLedger,
    connect_ledger,
)
from seckill_sidecar.adapters.markers import Markers
from seckill_sidecar.adapters.orders_db import connect_orders_db, connect_replica
from seckill_sidecar.clock import Clock, Deadline, SystemClock
from seckill_sidecar.errors import LedgerUntrusted, StoreError
from seckill_sidecar.gate.hand_off import HandOffObserver
from seckill_sidecar.gate.witness import Witness
from seckill_sidecar.observers import log
from seckill_sidecar.observers.metrics import Metrics
from seckill_sidecar.observers.tracing import Tracing, begin_tracing
from seckill_sidecar.ports import Broker, OrdersDb, QueueState
from seckill_sidecar.settings import Settings
from seckill_sidecar.settings.schema import Timeouts
from seckill_sidecar.wire.tokens import Keyring, SigningKey


class Stores:
    """The stores of one site in one process, each connected when it is first asked for."""

    def __init__(self, settings: Settings, clock: Clock | None = None, role: str = "") -> None:
        """``role`` is what this process counts as: ``sidecar``, ``relay``, ``writer``.

        ``middleware`` counts nothing, since nobody knows how its server forks; nor does a command, which has no role.
        """
        self.settings = settings
        self.clock = clock or SystemClock()
        self._role = role

    @cached_property
    def metrics(self) -> Metrics | None:
        """What this process counts; None if it counts nothing."""
        folder = self.settings.metrics.folder
        counts = self._role not in ("", "middleware")
        return Metrics(Path(folder), self._role) if folder is not None and counts else None

    @cached_property
    def tracing(self) -> Tracing | None:
        """Where this process's spans go; None if it tells of none."""
        settings = self.settings.tracing
        return begin_tracing(settings, self.clock) if settings.otlp is not None and self._role else None

    def end_tracing(self) -> None:
        """Send the spans that are left, within some seconds. At the very end."""
        if self.tracing is not None:
            self.tracing.close()

    @cached_property
    def ledger(self) -> RedisLedger:
        settings = self.settings
        depth = None if settings.stores.broker == "none" else self._backlog
        moment = max(1.0, 2 * settings.writer.linger)
        return connect_ledger(settings, self.clock, Witness(self._high_water, depth, self.clock, moment))

    def _backlog(self) -> int:
        return self._queue_state(self.settings.broker.queue).messages

    def _high_water(self, sku: str) -> tuple[int, int]:
        with self.breaker("database").calling():
            return self.looked_up_orders.high_water(sku)

    @cached_property
    def broker(self) -> Broker | None:
        """None with ``broker: none``: the relay takes the outbox straight to the database."""
        settings = self.settings
        if settings.stores.broker == "none":
            return None
        return RabbitBroker(settings.stores.broker, settings.broker, settings.timeouts, self.clock, process_name())

    @cached_property
    def orders(self) -> OrdersDb:
        return connect_orders_db(
            self.settings.stores.database, self.settings.writer, self.settings.timeouts, clock=self.clock
        )

    @cached_property
    def looked_up_orders(self) -> OrdersDb:
        """The same for whom a buyer waits: a purchase or a look-up has no time for the writer's patience."""
        settings = self.settings
        return connect_orders_db(settings.stores.database, settings.writer, self._hasty(2), clock=self.clock)

    @cached_property
    def replica(self) -> OrdersDb | None:
        """What look-ups ask first; the database has to have its turn within the request all the same."""
        settings = self.settings
        if settings.stores.replica is None:
            return None
        return connect_replica(settings.stores.replica, settings.writer, self._hasty(4), clock=self.clock)

    def _hasty(self, turns: int) -> Timeouts:
        """With the database's patience cut to so many turns within one request."""
        timeouts = self.settings.timeouts
        return timeouts.model_copy(update={"database": min(timeouts.database, timeouts.request / turns)})

    def breaker(self, store: str) -> StoreBreaker:
        """The process's one breaker of a store: ``ledger``, ``broker``, ``database``, ``replica``, ``storefront``, or
        ``identity``: the storefront, asked who is buying."""
        return self._breakers[store]

    @cached_property
    def _breakers(self) -> dict[str, StoreBreaker]:
        settings = self.settings.breakers
        stores = ("ledger", "broker", "database", "replica", "storefront", "identity")
        listeners = [log.log_breaker, *([self.metrics.breaker] if self.metrics else [])]
        return {store: StoreBreaker(store, getattr(settings, store), self.clock, listeners) for store in stores}

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring([SigningKey(key.id, key.secret.get_secret_value().encode()) for key in self.settings.keys])

    @cached_property
    def _markers(self) -> Markers:
        return Markers(Path(self.settings.shield.folder), self.clock)

    def _queue_state(self, queue: str) -> QueueState:
        settings = self.settings
        return queue_state(settings.stores.broker, settings.broker, settings.timeouts, process_name(), queue)

    @cached_property
    def _hand_off_observers(self) -> list[HandOffObserver]:
        return [teller.handed_off for teller in (self.metrics, self.tracing) if teller is not None]

    def refuse_unusable_folders(self) -> None:
        """Raise ``CannotCreate`` or ``NotPermitted`` for a folder that this process is to write to, and can't."""
        _ = self.metrics
        if self._role == "sidecar" and self.settings.shield.enabled:
            self._markers.prepare()

    def refuse_unfit_ledger(self) -> None:
        """Raise ``LedgerUntrusted`` if the server's settings could lose stock. One that is down may yet come up."""
        try:
            unfit = self.ledger.check(Deadline.after(5.0, self.clock))
        except StoreError as error:
            log.log_left_undone("the ledger could not be checked at start; the gate refuses until it answers", error)
            return
        if unfit:
            raise LedgerUntrusted("ledger", "; ".join(unfit))


def process_name() -> str:
    """What RabbitMQ shows of this process."""
    return f"seckill-sidecar {os.getpid()}"
