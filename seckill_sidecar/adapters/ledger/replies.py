"""What the scripts return, read into records. Anything unforeseen is an untrusted ledger, never a guess."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from seckill_sidecar.errors import BadMessage, LedgerUntrusted
from seckill_sidecar.model import Admittance, Decision, Event, ItemView, Order, Settled, Settlement, State, Verdict

SEALED = "sealed"
_T = TypeVar("_T")


def read_decision(sku: str, reply: Sequence[Any]) -> Decision:
    """A ``Decision`` from what reserve.lua returned."""
    try:
        word, *rest = reply
        verdict = Verdict(word.decode())
        match verdict, rest:
            case Verdict.ACCEPTED, [_, outbox_id, body]:
                event = Event.decode(body)
                return Decision(verdict, order=event.order, outbox_id=outbox_id.decode(), body=body, chain=event.chain)
            case Verdict.REPLAYED, [order_id, record, epoch]:
                return Decision(verdict, order=read_order(sku, order_id, record, epoch))
            case Verdict.SOLD_OUT, [left]:
                return Decision(verdict, available=int(left))
            case Verdict.LIMIT_REACHED, [scope, _, _]:
                return Decision(verdict, scope=scope.decode())
            case Verdict.NOT_ADMITTED, [reason]:
                return Decision(verdict, reason=reason.decode())
            case Verdict.NOT_OPEN, [milliseconds]:
                return Decision(verdict, retry_after=int(milliseconds) / 1000)
            case Verdict.RATE_LIMITED, [scope, milliseconds]:
                return Decision(verdict, scope=scope.decode(), retry_after=int(milliseconds) / 1000)
            case Verdict.UNAVAILABLE, [reason]:
                return Decision(verdict, reason=reason.decode())
            case ((Verdict.CLOSED | Verdict.UNKNOWN_ITEM | Verdict.CONFLICT), []):
                return Decision(verdict)
    except (ValueError, TypeError, AttributeError, BadMessage) as error:
        raise LedgerUntrusted("ledger", f"reserve.lua answered {reply!r}: {error}") from error
    raise LedgerUntrusted("ledger", f"reserve.lua answered {reply!r}")


def read_admittance(sku: str, reply: Sequence[Any]) -> Admittance:
    """An ``Admittance`` from what admit.lua returned."""
    match reply:
        case [b"admitted", int(until_ms)]:
            return Admittance(until_ms=until_ms)
        case [b"sold_out"]:
            return Admittance(Decision(Verdict.SOLD_OUT))
    return Admittance(read_decision(sku, reply))


def read_settled(sku: str, order_id: str, reply: Sequence[Any]) -> Settled:
    """A ``Settled`` from what settle.lua returned."""
    try:
        word, *rest = reply
        match word.decode(), rest:
            case ("settled" | "late") as outcome, [record, epoch, outbox_id, body]:
                order = read_order(sku, order_id.encode(), record, epoch)
                return Settled(Settlement(outcome), order, outbox_id.decode(), body, Event.decode(body).chain)
            case ("already" | "refused") as outcome, [record, epoch]:
                return Settled(Settlement(outcome), read_order(sku, order_id.encode(), record, epoch))
            case (("unknown_order" | "sealed"), []):
                return Settled(Settlement.UNKNOWN_ORDER)
    except (ValueError, TypeError, AttributeError, BadMessage) as error:
        raise LedgerUntrusted("ledger", f"settle.lua answered {reply!r}: {error}") from error
    raise LedgerUntrusted("ledger", f"settle.lua answered {reply!r}")


def read_order(sku: str, order_id: bytes, record: bytes, epoch: Any) -> Order:
    """An ``Order`` from its record in the orders hash; raises LedgerUntrusted if it isn't one."""
    try:
        fields = json.loads(record)
        return Order(
            id=order_id.decode(),
            item=sku,
            epoch=int(epoch),
            seq=_typed(fields, "seq", int),
            buyer=_typed(fields, "buyer", str),
            quantity=_typed(fields, "quantity", int),
            state=State(fields["state"]),
            accepted_at_ms=_typed(fields, "at", int),
            due_at_ms=_typed(fields, "due", int),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise LedgerUntrusted("ledger", f"order {order_id!r} of {sku} is damaged: {error!r}") from error


def _typed(fields: Any, name: str, kind: type[_T]) -> _T:
    value = fields[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}")
    return value


def read_item(sku: str, flat: Sequence[Any]) -> ItemView:
    """An ``ItemView`` from the field, value, field, value … of the item hash."""
    try:
        fields = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
        return ItemView(
            sku=sku,
            total=int(fields["total"]),
            free=int(fields["free"]),
            held=int(fields["held"]),
            paid=int(fields["paid"]),
            opens_at_ms=int(fields["opens_at"]),
            closes_at_ms=int(fields["closes_at"]),
            per_buyer=int(fields["per_buyer"]),
            hold_ms=int(fields["hold"]),
            epoch=int(fields["epoch"]),
            seq=int(fields["seq"]),
            status=fields["status"],
            chain=int(fields.get("chain", 0)),
            digest=fields.get("digest", ""),
        )
    except (KeyError, ValueError) as error:
        raise LedgerUntrusted("ledger", f"the item key of {sku} is damaged: {error!r}") from error


def read_info(text: bytes) -> dict[str, str]:
    """What INFO and its like answer, by name."""
    lines = (line.partition(":") for line in text.decode().splitlines() if ":" in line)
    return {name: value.strip() for name, _, value in lines}
