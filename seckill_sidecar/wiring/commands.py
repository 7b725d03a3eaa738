"""What a site's commands work with."""

from __future__ import annotations

import os
import secrets
from functools import partial
from pathlib import Path

from seckill_sidecar.adapters.broker import examine_broker
from seckill_sidecar.adapters.invited_list import BloomList, read_list
from seckill_sidecar.adapters.ledger import (
    connect_invitations,
    examine_ledger,
)
from seckill_sidecar.adapters.markers import UNMARKED
from seckill_sidecar.adapters.storefront import probe
from seckill_sidecar.errors import UsageError
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers.metrics import Audits
from seckill_sidecar.ops import doctor
from seckill_sidecar.ops.audit import Report
from seckill_sidecar.ops.doctor.requests import SKU
from seckill_sidecar.ops.eligible import Eligible
from seckill_sidecar.ops.nginx.body import sees_one
from seckill_sidecar.ops.parked import ParkedMessages, ParkedQueue
from seckill_sidecar.ops.rebuild import Parts, Queue
from seckill_sidecar.wire.tokens import PROBE
from seckill_sidecar.wiring.stores import process_name
from seckill_sidecar.wiring.workers import Workers

_PROBE_SECONDS = 120.0
"""How long the doctor may ask through nginx."""


class Commands(Workers):
    """The commands of one site."""

    def note_audit(self, report: Report) -> None:
        """Tell Prometheus of an audit of all items, if there is a folder of figures."""
        folder = self.settings.metrics.folder
        if folder is not None and os.path.isdir(folder):
            drift = sum(report.total(kind) for kind in ("missing", "unknown", "differing"))
            Audits(Path(folder)).note(drift, report.balanced, self.clock.wall())

    def rebuild_parts(self) -> Parts:
        """What a rebuild works with."""
        settings, queue = self.settings, None
        if settings.stores.broker != "none":
            queue = Queue(
                state=lambda: self._queue_state(settings.broker.queue),
                consumer=self._rabbit_consumer,
                parked=lambda: self._queue_state(settings.broker.parked).messages,
            )
        return Parts(
            self.ledger,
            self.orders,
            queue,
            self.writer,
            self.clock,
            by=secrets.token_hex(8),
            quiet=max(2.0, settings.timeouts.request),
        )

    def parked_messages(self) -> ParkedMessages:
        """What could not be written, and what can be done about it."""
        settings, queue = self.settings, None
        if settings.stores.broker != "none":
            name = settings.broker.parked
            queue = ParkedQueue(
                depth=lambda: self._queue_state(name).messages, consumer=lambda: self._rabbit_consumer(name)
            )
        return ParkedMessages(self.orders, lambda: self.ledger, queue, self.clock)

    def invited_lists(self) -> Eligible:
        """The lists of the buyers whom items are for."""
        return Eligible(
            self.settings.items,
            make=lambda sku, count: BloomList.new(sku, secrets.token_hex(8), secrets.token_bytes(16), count),
            read=read_list,
            invitations=connect_invitations(self.settings, self.clock),
            clock=self.clock,
        )

    def examined(self) -> doctor.Questions:
        """Whom the doctor asks."""
        settings, url = self.settings, self.settings.stores.storefront
        ask_broker = partial(examine_broker, settings.stores.broker, settings.broker, settings.timeouts, process_name())
        seconds = settings.timeouts.storefront
        return doctor.Questions(
            settings,
            self.clock,
            ledger=lambda: examine_ledger(settings, self.clock),
            broker=None if settings.stores.broker == "none" else ask_broker,
            database=self.orders.examine,
            replica=None if self.replica is None else partial(self.replica.examine, writing=False),
            storefront=None if url is None else partial(probe.ask, "storefront", url, seconds=seconds),
            door=self._door,
        )

    def _door(self, url: str) -> doctor.Door:
        """The way through the nginx at this address."""
        if not self.keyring:
            raise UsageError("--through needs keys: in the configuration, so that the gate knows who asks")
        settings, nonce = self.settings, secrets.token_hex(8)
        return doctor.Door(
            ask=partial(probe.ask, "nginx", url, seconds=settings.timeouts.storefront),
            nonce=nonce,
            token=self.keyring.sign(PROBE, nonce, self.clock.wall() + _PROBE_SECONDS),
            mark=self._mark_probe if settings.shield.enabled else None,
            shielded=tuple(route for route in settings.routes if sees_one(route, settings)),
        )

    def _mark_probe(self, sold_out: bool) -> None:
        marked = frozenset([Verdict.SOLD_OUT.value])
        self._markers.mark(SKU, *((marked,) if sold_out else (UNMARKED, marked)))
