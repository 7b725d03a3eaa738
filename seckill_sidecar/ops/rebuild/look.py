"""What there is to rebuild an item from, and what stands against it. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, UsageError
from seckill_sidecar.model import SKU, Item, ItemView
from seckill_sidecar.ports import Consumer, EpochUnits, Ledger, OrdersDb, QueueState
from seckill_sidecar.settings.schema import ItemSettings
from seckill_sidecar.workers.writer import Writer

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Queue:
    """The broker's orders queue: how it stands, and how to receive from it."""

    state: Callable[[], QueueState]
    consumer: Callable[[], Consumer]
    parked: Callable[[], int]
    """Messages in the queue beside it, which holds what was dead-lettered."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a rebuild works with."""

    ledger: Ledger
    orders: OrdersDb
    queue: Queue | None
    """None with ``broker: none``: then all that is not written lies in the outbox."""
    writer: Callable[[Consumer], Writer]
    clock: Clock
    by: str
    """What tells this rebuild from every other one."""
    quiet: float
    """Seconds without an event of the item after which nothing is on its way any more."""

    def deadline(self) -> Deadline:
        """For one question to the ledger."""
        return Deadline.after(_SECONDS, self.clock)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of one item."""

    sku: str
    view: ItemView | None
    """As the ledger has it; None if it has nothing, or nothing that can be read."""
    damage: str
    """Why it can't be read, if so."""
    units: EpochUnits
    """Of the database's last epoch."""
    item: Item
    """With the terms that it will be sold on."""
    terms_from: str
    """Where they stand."""
    waiting: Sequence[str]
    """Orders of which a parked message waits."""
    in_outbox: int
    queue: QueueState | None
    rejected: int
    """Messages that RabbitMQ has dead-lettered, of any item."""

    def refuse_at_once(self) -> None:
        """Raise ``UsageError`` for what stands against it before anything is touched."""
        if self.queue is not None and self.queue.consumers:
            raise UsageError(
                f"{self.queue.consumers} writers are connected to RabbitMQ; what they have in hand can't be seen. "
                "Stop all of them (systemctl stop 'seckill-writer@*'), and run this again"
            )

    @property
    def successor(self) -> int:
        """The epoch that it will have."""
        return max(self.units.epoch, self.view.epoch if self.view else 0) + 1

    def as_text(self) -> str:
        """For people."""
        units = self.units
        held, paid, total = units.held_by_orders, units.paid_by_orders, self.item.total
        queue = self.queue or QueueState(0, 0)
        return "\n".join(
            [
                f"ledger      {self._ledger()}",
                f"database    epoch {units.epoch}: {units.orders} orders, {held} units held + {paid} paid "
                f"of {units.total}",
                f"on its way  {self.in_outbox} events in the outbox, {queue.messages} messages in RabbitMQ, "
                f"{queue.consumers} writers connected",
                f"parked      {len(self.waiting)} orders have messages that wait, {self.rejected} messages in "
                "RabbitMQ's parked queue",
                f"terms       {self._terms()}",
                f"a dry run: nothing was changed. It would become epoch {self.successor}, {total} units = "
                f"{total - held - paid} free + {held} held + {paid} paid, once what is on its way is written.",
                f"To do it: pause the item, stop the writers, then: seckill-sidecar rebuild {self.sku} --apply",
            ]
        )

    def _terms(self) -> str:
        item = self.item
        window = f"opens {_moment(item.opens_at_ms, 'at once')}, closes {_moment(item.closes_at_ms, 'never')}"
        return f"{item.per_buyer} a buyer, held for {item.hold_ms / 1000:g} s, {window}; from {self.terms_from}"

    def _ledger(self) -> str:
        if self.view is None:
            return f"nothing of it that can be read{f' ({self.damage})' if self.damage else ''}"
        return f"epoch {self.view.epoch}, {self.view.status}: {_sum(self.view)}"


def _sum(view: ItemView) -> str:
    return f"{view.total} units = {view.free} free + {view.held} held + {view.paid} paid"


def look(sku: str, parts: Parts, configured: Sequence[ItemSettings], total: int | None) -> Look:
    """Ask every store. ``total`` overrides what the database knows. Raises ``UsageError``, ``StoreError``."""
    if SKU.fullmatch(sku) is None:
        raise UsageError(f"{sku[:100]!r} is no SKU")
    epoch = parts.orders.last_epoch(sku)
    if not epoch:
        raise UsageError(f"the database has never heard of {sku}; load it: seckill-sidecar item load {sku}")
    view, damage = _view(sku, parts)
    units = _units(parts.orders, sku, epoch)
    item, terms_from = _terms(sku, epoch, view, configured)
    known = max(units.total, view.total if view and view.epoch == epoch else 0)
    return Look(
        sku=sku,
        view=view,
        damage=damage,
        units=units,
        item=replace(item, total=known if total is None else total),
        terms_from=terms_from,
        waiting=parts.orders.waiting(sku, epoch),
        in_outbox=waiting_in_outbox(parts.ledger, sku),
        queue=parts.queue.state() if parts.queue else None,
        rejected=parts.queue.parked() if parts.queue else 0,
    )


def waiting_in_outbox(ledger: Ledger, sku: str) -> int:
    """How many events wait in an item's outbox; none if it can't be read."""
    try:
        return sum(1 for _ in ledger.outbox_from(sku))
    except LedgerUntrusted:
        return 0


def _view(sku: str, parts: Parts) -> tuple[ItemView | None, str]:
    try:
        return parts.ledger.item(sku, parts.deadline()), ""
    except LedgerUntrusted as error:
        return None, error.what


def _units(orders: OrdersDb, sku: str, epoch: int) -> EpochUnits:
    found = {units.epoch: units for units in orders.units(sku)}
    return found.get(epoch, EpochUnits(epoch, 0, 0, 0, 0, 0, 0))


def _terms(sku: str, epoch: int, view: ItemView | None, configured: Sequence[ItemSettings]) -> tuple[Item, str]:
    """The item with its terms, and where they stand; the database doesn't keep them.

    The ledger's own, if it is of the last sale; else the configuration's; else those of an earlier sale.
    """
    ours = next((item for item in configured if item.sku == sku), None)
    if view is not None and (view.epoch >= epoch or ours is None):
        item = Item(sku, view.total, view.opens_at_ms, view.closes_at_ms, view.per_buyer, view.hold_ms)
        return item, f"the ledger, epoch {view.epoch}"
    if ours is not None:
        item = Item(sku, ours.total, ours.opens_at, ours.closes_at, ours.per_buyer, int(ours.hold * 1000))
        return item, "the configuration"
    raise UsageError(
        f"when {sku} opens and closes, how many a buyer may have and how long a hold lives stand neither in the ledger "
        "nor in the configuration; add it to the YAML's items"
    )


def _moment(milliseconds: int, otherwise: str) -> str:
    if not milliseconds:
        return otherwise
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
