"""The rebuild itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

from seckill_sidecar.errors import LedgerUntrusted, OutcomeUnknown, StoreDown, StoreError, UsageError
from seckill_sidecar.gate.known import TRUE_FOR
from seckill_sidecar.model import Order, State
from seckill_sidecar.ops.rebuild.drain import Drain
from seckill_sidecar.ops.rebuild.look import Look, Parts
from seckill_sidecar.ports import ParkedState

_AT_ONCE = 500
_SHOWN = 5


def renew(look_now: Callable[[], Look], parts: Parts, status: str, leave_out: bool) -> str:
    """Retire, drain, take over, fill and swap; what to print. Raises ``UsageError``, ``StoreError``."""
    found = look_now()
    found.refuse_at_once()
    sku, epoch, orders = found.sku, found.units.epoch, parts.orders
    with _resumed_unless_done(found, parts):
        parts.ledger.retire(sku, parts.by, parts.deadline())
        Drain(parts, sku).run()
        found = look_now()  # what was on its way, or done to the item meanwhile, may have changed what there is
        if not leave_out:
            _refuse_to_forget(found, parts)
        if parts.ledger.announce(sku, parts.deadline()):
            parts.clock.sleep(TRUE_FOR)  # until no process goes by names without it, see gate/known.py
        orders.succeed(sku, epoch, found.successor, found.item.total)
    try:
        view = parts.ledger.rebuild(
            found.item,
            parts.by,
            found.successor,
            orders.kept(sku, found.successor),
            orders.ends(sku, found.successor),
            status,
        )
    except StoreError as error:
        raise StoreDown(
            error.store,
            f"{error.what}; the database has epoch {found.successor} of {sku} already, so nobody can buy it until this "
            "has been run once more",
        ) from error
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
    except BaseException as error:
        # A COMMIT that nobody has heard of may yet take effect: then the old ledger must not have sold meanwhile.
        if not (isinstance(error, OutcomeUnknown) and error.store == "database"):
            with suppress(StoreError):
                if parts.orders.last_epoch(found.sku) == found.units.epoch:
                    parts.ledger.resume(found.sku, parts.by, parts.deadline())
        raise


def _refuse_to_forget(found: Look, parts: Parts) -> None:
    if found.rejected:
        raise UsageError(
            f"{found.rejected} messages lie in RabbitMQ's parked queue, and may be of {found.sku}: take them in first "
            "(seckill-sidecar parked collect), or add --leave-out"
        )
    if found.waiting:
        raise UsageError(
            f"{len(found.waiting)} orders of {found.sku} have parked messages that wait ({_some(found.waiting)}): "
            "retry or refund them first (seckill-sidecar parked list), or add --leave-out: they stay parked, and what "
            "they say is not in the new ledger"
        )
    if found.view is None or found.view.epoch != found.units.epoch:
        return
    lost = list(islice(_only_in_ledger(found.sku, parts), _SHOWN + 1))
    if lost:
        raise UsageError(
            f"orders of {found.sku}, or what became of them, stand in the old ledger and nowhere else ({_some(lost)}): "
            f"see seckill-sidecar audit {found.sku}; add --leave-out to go on without that"
        )


def _only_in_ledger(sku: str, parts: Parts) -> Iterator[str]:
    orders: Iterator[Order] = parts.ledger.orders(sku)
    refunded: set[str | None] | None = None
    try:
        while page := {order.id: order.state for order in islice(orders, _AT_ONCE)}:
            written = {order.id: order.state for order in parts.orders.orders_named(sorted(page))}
            absent = page.keys() - written.keys()
            if absent and refunded is None:
                refunded = _refunded(parts)
            yield from sorted(absent - refunded if refunded else absent)
            yield from sorted(
                order_id
                for order_id, state in written.items()
                if state is State.HELD and page[order_id] is not State.HELD
            )
    except LedgerUntrusted:
        return  # damaged orders are what the rebuild is for


def _refunded(parts: Parts) -> set[str | None]:
    """Orders that were undone before they could be written: they have no row, and need none."""
    return {parked.order_id for parked in parts.orders.parked() if parked.state is ParkedState.REFUNDED}


def _some(order_ids: Sequence[str]) -> str:
    return ", ".join(order_ids[:_SHOWN]) + (", …" if len(order_ids) > _SHOWN else "")
