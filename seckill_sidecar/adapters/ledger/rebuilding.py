"""Rebuilds an item from what the database has kept of it; see rebuild.lua for the steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from seckill_sidecar.adapters.ledger import replies, scripts
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID, STORE, Line
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, UsageError
from seckill_sidecar.model import Item, ItemView, Order, State
from seckill_sidecar.ports import Ends, Kept

_AT_ONCE = 250
"""Orders a call: a script keeps everybody else waiting."""
_SECONDS = 30.0


class Rebuilding:
    """Retires and rebuilds the items of one server."""

    def __init__(self, line: Line, keys: Keys, clock: Clock) -> None:
        self._line = line
        self._keys = keys
        self._clock = clock

    def retire(self, sku: str, by: str, now_us: str, deadline: Deadline) -> ItemView | None:
        """Let nothing change the item any more; None if there is none to be read. Raises ``UsageError``."""
        reply = self._run(sku, by, "retire", deadline, now_us)
        match _words(reply):
            case ["done", *_]:
                return _read_if_sound(sku, reply[1:])
            case ["nothing"]:
                return None
            case ["selling", epoch]:
                raise UsageError(
                    f"{sku} is on sale (epoch {epoch}), and nothing is wrong with it that this ledger knows of; "
                    f"to rebuild it all the same, pause it first: seckill-sidecar item pause {sku}"
                )
        raise LedgerUntrusted(STORE, f"rebuild.lua answered {reply!r}")

    def resume(self, sku: str, by: str, deadline: Deadline) -> None:
        """Take ``retire`` back; the fence verifies the item when it is next asked for."""
        self._run(sku, by, "resume", deadline)

    def rebuild(self, item: Item, by: str, epoch: int, kept: Iterable[Kept], ends: Ends, status: str) -> ItemView:
        """Fill the new item beside the old one, and let it take its place. Raises ``UsageError``, ``StoreError``."""
        self._line.ask("SADD", self._keys.index, item.sku, deadline=self._deadline())
        self._work(item.sku, by, "begin")
        units: Counter[State] = Counter()
        orders = last = 0
        remaining = iter(kept)
        while page := list(islice(remaining, _AT_ONCE)):
            self._work(item.sku, by, "fill", json.dumps([_row(one) for one in page]))
            for one in page:
                units[one.order.state] += one.order.quantity
                last = max(last, one.order.seq)
            orders += len(page)
        fields = _fields(item, epoch, units, last, ends, status)
        return self._swap(item.sku, by, {**{name: str(value) for name, value in fields.items()}, "orders": orders})

    def _swap(self, sku: str, by: str, content: dict[str, Any]) -> ItemView:
        reply = self._work(sku, by, "swap", json.dumps(content))
        match _words(reply):
            case ["done", *_]:
                return replies.read_item(sku, reply[1:])
            case ["left", count]:
                raise UsageError(f"{count} events of {sku} wait in its outbox again; run the rebuild once more")
            case ["changed"]:
                raise UsageError(f"somebody has loaded {sku} meanwhile; run the rebuild once more")
        raise LedgerUntrusted(STORE, f"rebuild.lua answered {reply!r}")

    def _work(self, sku: str, by: str, action: str, content: str = "") -> Sequence[Any]:
        reply = self._run(sku, by, action, self._deadline(), content=content)
        if _words(reply) == ["other"]:
            raise UsageError(
                f"another rebuild of {sku} has begun, or the ledger was emptied meanwhile; if that one has ended, "
                "run the rebuild once more"
            )
        return reply

    def _run(
        self, sku: str, by: str, action: str, deadline: Deadline, now_us: str = "", content: str = ""
    ) -> Sequence[Any]:
        keys = [self._keys.of(sku, part) for part in scripts.REBUILD.keys]
        reply: Sequence[Any] = self._line.run(scripts.REBUILD, keys, (action, RUN_ID, now_us, content, by), deadline)
        return reply

    def _deadline(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)


def _words(reply: Sequence[Any]) -> list[Any]:
    return [part.decode() if isinstance(part, bytes) else part for part in reply[:2]]


def _read_if_sound(sku: str, flat: Sequence[Any]) -> ItemView | None:
    """Damage is a reason to rebuild, not one to refuse it."""
    try:
        return replies.read_item(sku, flat)
    except LedgerUntrusted:
        return None


def _row(kept: Kept) -> tuple[str, str, str, int, int, str]:
    """What rebuild.lua takes of one order."""
    order = kept.order
    units = order.quantity if order.state in (State.HELD, State.PAID) else 0
    due = order.due_at_ms if order.state is State.HELD else 0
    # Lengths in bytes, as reserve.lua counts them.
    key = f"{len(order.buyer.encode())}:{order.buyer}{kept.key}" if kept.key else ""
    return order.id, _record(order, kept), order.buyer, units, due, key


def _record(order: Order, kept: Kept) -> str:
    record = {
        "buyer": order.buyer,
        "quantity": order.quantity,
        "seq": order.seq,
        "state": order.state.value,
        "at": order.accepted_at_ms,
        "due": order.due_at_ms,
        "no": kept.no,
        "total": kept.total,
        "chain": kept.chain,
        "prev": kept.prev,
    }
    return json.dumps(record | {"late": 1} if kept.late else record, separators=(",", ":"), ensure_ascii=False)


def _fields(item: Item, epoch: int, units: Counter[State], seq: int, ends: Ends, status: str) -> dict[str, object]:
    held, paid = units[State.HELD], units[State.PAID]
    if held + paid > item.total:
        raise UsageError(f"{held} units of {item.sku} are held and {paid} paid, of {item.total}: more than there are")
    return {
        "total": item.total,
        "free": item.total - held - paid,
        "held": held,
        "paid": paid,
        "opens_at": item.opens_at_ms,
        "closes_at": item.closes_at_ms,
        "per_buyer": item.per_buyer,
        "hold": item.hold_ms,
        "epoch": epoch,
        "seq": seq,
        "status": status,
        "chain": ends.chain,
        "digest": ends.digest,
    }
