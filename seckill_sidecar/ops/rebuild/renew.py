"""The rebuild itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

from seckill_sidecar.errors import LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.model import Order
from seckill_sidecar.ops.rebuild.drain import Drain
from seckill_sidecar.ops.rebuild.look import Look, Parts

_AT_ONCE = 500
_SHOWN = 5


def renew(found: Look, parts: Parts, status: str, leave_out: bool) -> str:
    """Retire, drain, take over, fill and swap; what to print. Raises ``UsageError``, ``StoreError``."""
    sku, epoch, orders = found.sku, found.units.epoch, parts.orders
    with _resumed_unless_done(found, parts):
        parts.ledger.retire(sku, parts.deadline())
        Drain(parts, sku).run()
        if not leave_out:
            _refuse_to_forget(found, parts)
        orders.succeed(sku, epoch, found.successor, found.item.total)
    view = parts.ledger.rebuild(
        found.item, found.successor, orders.kept(sku, found.successor), orders.ends(sku, found.successor), status
    )
    after = "" if status == "open" else f"; it is {status}, to sell: seckill-sidecar item open {sku}"
    return (
        f"{sku} is rebuilt as epoch {view.epoch}: {view.total} units = {view.free} free + {view.held} held + "
        f"{view.paid} paid{after}"
    )


@contextmanager
def _resumed_unless_done(found: Look, parts: Parts) -> Iterator[None]:
    """What fails before the database has taken over leaves the item as it was, if the ledger can still be told."""
    try:
        yield
    except BaseException:
        with suppress(StoreError):
            if parts.orders.last_epoch(found.sku) == found.units.epoch:
                parts.ledger.resume(found.sku, parts.deadline())
        raise


def _refuse_to_forget(found: Look, parts: Parts) -> None:
    waiting = parts.orders.waiting(found.sku, found.units.epoch)
    if waiting:
        raise UsageError(
            f"{len(waiting)} orders of {found.sku} have parked messages that wait ({_some(waiting)}): retry or refund "
            "them first (seckill-sidecar parked list), or add --leave-out: they stay parked, and what they say is not "
            "in the new ledger"
        )
    if found.view is None or found.view.epoch != found.units.epoch:
        return
    lost = list(islice(_only_in_ledger(found.sku, parts), _SHOWN + 1))
    if lost:
        raise UsageError(
            f"orders of {found.sku} stand in the old ledger and nowhere else ({_some(lost)}): see "
            f"seckill-sidecar audit {found.sku}; add --leave-out to go on without them"
        )


def _only_in_ledger(sku: str, parts: Parts) -> Iterator[str]:
    orders: Iterator[Order] = parts.ledger.orders(sku)
    try:
        while page := {order.id for order in islice(orders, _AT_ONCE)}:
            yield from sorted(page - {order.id for order in parts.orders.orders_named(sorted(page))})
    except LedgerUntrusted:
        return  # damaged orders are what the rebuild is for


def _some(order_ids: Sequence[str]) -> str:
    return ", ".join(order_ids[:_SHOWN]) + (", …" if len(order_ids) > _SHOWN else "")
