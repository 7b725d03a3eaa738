"""What relay and writer of a site work with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property

from seckill_sidecar.adapters.broker import RabbitConsumer
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import UsageError
from seckill_sidecar.ports import Consumer
from seckill_sidecar.wiring.stores import Stores, process_name
from seckill_sidecar.workers.relay import Expirer, OutboxConsumer, Relay
from seckill_sidecar.workers.writer import Writer

_writer_log = logging.getLogger("seckill_sidecar.writer")


class Workers(Stores):
    """The workers of one site."""

    def each_turn(self, loop: str, beat: Callable[[str], None]) -> Callable[[], None]:
        """What a loop calls at each turn: ``beat``, and whoever counts."""
        metrics = self.metrics

        def turn() -> None:
            beat(loop)
            if metrics is not None:
                metrics.present.turned(loop, self.clock.wall())

        return turn

    def expirer(self) -> Expirer:
        return Expirer(self.ledger, self.settings.relay, self.clock)

    def relay(self) -> Relay:
        """The relay to the broker; with ``broker: none`` there is a writer on the outbox instead."""
        if self.broker is None:
            raise UsageError("with stores.broker none there is nothing to relay to")
        settings, observers = self.settings.relay, self._hand_off_observers
        return Relay(self.ledger, self.broker, self.breaker("broker"), settings, self.clock, observers)

    def writer(self, consumer: Consumer | None = None) -> Writer:
        """The writer, consuming the broker's queue, or the outbox itself with ``broker: none``."""
        return Writer(
            consumer or self.consumer,
            self.orders,
            self.settings.writer,
            self.breaker("database"),
            self.clock,
            _writer_log,
            on_violation=self._alarm,
            observers=[teller.committed for teller in (self.metrics, self.tracing) if teller is not None],
        )

    def _alarm(self, sku: str) -> None:
        """More of an item was sold than there is: count it, and sell no more."""
        if self.metrics is not None:
            self.metrics.violated(sku)
        self.ledger.switch(sku, "paused", Deadline.after(5.0, self.clock))

    @cached_property
    def consumer(self) -> Consumer:
        """Where the writer's events come from."""
        if self.settings.stores.broker == "none":
            return OutboxConsumer(self.ledger, self.clock)
        return self._rabbit_consumer()

    def _rabbit_consumer(self, queue: str = "") -> Consumer:
        settings = self.settings
        return RabbitConsumer(
            settings.stores.broker,
            settings.broker,
            settings.timeouts,
            self.clock,
            process_name(),
            prefetch=2 * settings.writer.batch,
            queue=queue,
        )
