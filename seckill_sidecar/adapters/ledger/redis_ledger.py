"""The ledger in Redis or Valkey: items, holds, orders and the outbox, changed by Lua scripts only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from seckill_sidecar.adapters.ledger import replies, scripts
from seckill_sidecar.adapters.ledger.admitting import Admitting
from seckill_sidecar.adapters.ledger.asking import Asking, LedgerRules
from seckill_sidecar.adapters.ledger.fence import UNVERIFIED, Fence
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID, STORE, Line
from seckill_sidecar.adapters.ledger.rebuilding import Rebuilding
from seckill_sidecar.adapters.ledger.scripts import Script
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.model import (
    ORDER_ID,
    Admittance,
    Decision,
    Item,
    ItemView,
    Order,
    OutboxEntry,
    Purchase,
    Settled,
    State,
    Verdict,
)
from seckill_sidecar.ports import Ends, Kept

_LEAST_VERSION = (7, 0)
_SCAN_COUNT = 500


class RedisLedger:
    """``ports.Ledger`` on one Redis."""

    def __init__(
        self, line: Line, keys: Keys, rules: LedgerRules, clock: Clock, now_us: str = "", fence: Fence | None = None
    ) -> None:
        """``now_us`` replaces the server's time in tests; production leaves it empty.

        Without a ``fence``, an item that is unverified on this server stays refused.
        """
        self._fence = fence
        self._line = line
        self._keys = keys
        self._clock = clock
        self._asking = Asking(line, keys, rules)
        self._admitting = Admitting(keys, rules.admission)
        self._rebuilding = Rebuilding(line, keys, clock)
        self.now_us = now_us
        self._seen: dict[str, tuple[int, int]] = {}
        """By item: the highest epoch, and the number of its last event, that this process was told of."""

    # -- selling

    def reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """Decide one purchase; see reserve.lua. A key bound to another purchase is a conflict at once."""
        if purchase.key is not None and not self._asking.bind(purchase, deadline):
            return Decision(Verdict.CONFLICT)
        keys = self._asking.keys_of(purchase)
        argv = self._asking.argv_of(purchase, self._seen.get(purchase.item, (0, 0)), self.now_us)
        reply = self._run_fenced(purchase.item, scripts.RESERVE, keys, argv, deadline)
        decision = replies.read_decision(purchase.item, reply)
        self._see(purchase.item, decision.order, decision.chain)
        return decision

    def admit(self, sku: str, buyer: str, address: str, deadline: Deadline) -> Admittance:
        """Whether this buyer is admitted to an item's sale; see admit.lua."""
        keys, argv = self._admitting.call(sku, buyer, address, self.now_us)
        return replies.read_admittance(sku, self._run_fenced(sku, scripts.ADMIT, keys, argv, deadline))

    def _run_fenced(self, sku: str, script: Script, keys: list[str], argv: tuple[Any, ...], deadline: Deadline) -> Any:
        """A script's reply; an item that is unverified on this server is verified first, if that can be done."""
        reply = self._line.run(script, keys, argv, deadline)
        if self._fence is None or reply[:2] != [b"unavailable", UNVERIFIED.encode()]:
            return reply
        self._fence.pass_or_refuse(sku, self.verify, deadline)
        return self._line.run(script, keys, argv, deadline)

    def _see(self, sku: str, order: Order | None, chain: int) -> None:
        """Remember how far the item had come: a ledger that has come less far later on is an older one."""
        if order is not None and chain:
            self._seen[sku] = max(self._seen.get(sku, (0, 0)), (order.epoch, chain))

    def forget(self) -> None:
        """Trust the ledger as it is from now on, however far it has come: after a rebuild."""
        self._seen.clear()

    # -- settling

    def settle(self, order_id: str, state: State, reason: str, deadline: Deadline) -> Settled:
        """Move an order from ``held`` to a final state; see settle.lua."""
        return self._settle(order_id, state.value, reason, deadline)

    def seal(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order, or None and the certainty that there will never be one of this id."""
        return self._settle(order_id, replies.SEALED, "", deadline).order

    def _settle(self, order_id: str, state: str, reason: str, deadline: Deadline) -> Settled:
        sku = sku_of(order_id)
        keys = self._item_keys(sku, scripts.SETTLE.keys)
        argv = (order_id, state, reason, sku, RUN_ID, *self._seen.get(sku, (0, 0)), self.now_us)
        reply = self._run_fenced(sku, scripts.SETTLE, keys, argv, deadline)
        _refuse_damage(reply)
        settled = replies.read_settled(sku, order_id, reply)
        self._see(sku, settled.order, settled.chain)
        return settled

    def order(self, order_id: str, deadline: Deadline) -> Order | None:
        """The order as it stands, or None (also for a sealed id)."""
        sku = sku_of(order_id)
        record = self._line.ask("HGET", self._keys.of(sku, "orders"), order_id, deadline=deadline)
        if record is None:
            return None
        epoch = self._line.ask("HGET", self._keys.of(sku, "item"), "epoch", deadline=deadline)
        if epoch is None:
            raise _without_item(sku)
        return replies.read_order(sku, order_id.encode(), record, epoch)

    def due(self, item: str, limit: int, deadline: Deadline) -> list[str]:
        """Ids of holds whose time is over by the server's clock, the oldest first."""
        now = self._server_ms(deadline)
        found = self._line.ask(
            "ZRANGEBYSCORE", self._keys.of(item, "due"), "-inf", now, "LIMIT", 0, limit, deadline=deadline
        )
        return [order_id.decode() for order_id in found]

    # -- the outbox

    def handed_off(self, item: str, outbox_ids: Sequence[str], deadline: Deadline) -> None:
        """Remove entries that the broker confirmed or the database has. Repeating it does no harm."""
        if outbox_ids:
            self._line.ask("XDEL", self._keys.of(item, "outbox"), *outbox_ids, deadline=deadline)

    def note_handed_off(
        self, item: str, outbox_id: str, deadline: Deadline, report: Callable[[StoreError], None]
    ) -> None:
        """The same with the next call that is made, without waiting for it."""

        def tell(error: Exception) -> None:
            report(error if isinstance(error, StoreError) else LedgerUntrusted(STORE, repr(error)))

        self._line.post("XDEL", self._keys.of(item, "outbox"), outbox_id, deadline=deadline, report=tell)

    def outbox(self, item: str, min_age: float, limit: int, deadline: Deadline) -> list[OutboxEntry]:
        """The oldest entries of at least ``min_age`` seconds, at most ``limit``."""
        youngest = max(0, self._server_ms(deadline) - int(min_age * 1000))
        found = self._line.ask(
            "XRANGE", self._keys.of(item, "outbox"), "-", youngest, "COUNT", limit, deadline=deadline
        )
        return [OutboxEntry(item, entry_id.decode(), fields[1]) for entry_id, fields in found]

    def outbox_depth(self, item: str, deadline: Deadline) -> tuple[int, int]:
        """How many entries wait, and since when the oldest does, in milliseconds since 1970."""
        oldest = self._line.ask("XRANGE", self._keys.of(item, "outbox"), "-", "+", "COUNT", 1, deadline=deadline)
        if not oldest:
            return 0, 0
        count = self._line.ask("XLEN", self._keys.of(item, "outbox"), deadline=deadline)
        return int(count), int(oldest[0][0].partition(b"-")[0])

    # -- items

    def announce(self, sku: str, deadline: Deadline) -> bool:
        """Put a SKU into the index; whether it was not there until now."""
        return bool(self._line.ask("SADD", self._keys.index, sku, deadline=deadline))

    def load(
        self, item: Item, deadline: Deadline, replaces: int | None = None, epoch: int = 1, status: str = "open"
    ) -> ItemView:
        """Put an item on sale under an epoch of at least ``epoch``; see load.lua. Raises UsageError."""
        argv = (
            "load",
            item.total,
            status,
            item.opens_at_ms,
            item.closes_at_ms,
            item.per_buyer,
            item.hold_ms,
            "" if replaces is None else replaces,
            epoch,
            RUN_ID,
        )
        # First, so that no item ever sells that the relay would not look at.
        self.announce(item.sku, deadline)
        return self._change(item.sku, argv, deadline)

    def add(self, sku: str, units: int, deadline: Deadline) -> ItemView:
        """Put ``units`` more on sale."""
        return self._change(sku, ("add", units, "", "", "", "", "", "", "", RUN_ID), deadline)

    def switch(self, sku: str, status: str, deadline: Deadline) -> ItemView:
        """Set the status by hand: ``open`` (within its window), ``closed`` or ``paused``."""
        return self._change(sku, ("switch", "", status, "", "", "", "", "", "", RUN_ID), deadline)

    def verify(self, sku: str, epoch: int, events: int, deadline: Deadline) -> bool:
        """Let an item sell on this server if it has at least these events of this epoch; False if it is older."""
        argv = ("verify", events, "", "", "", "", "", "", epoch, RUN_ID)
        reply = self._line.run(scripts.LOAD, self._item_keys(sku, scripts.LOAD.keys), argv, deadline)
        _refuse_damage(reply)
        return bool(reply[0] == b"done")

    def _change(self, sku: str, argv: Sequence[Any], deadline: Deadline) -> ItemView:
        reply = self._line.run(scripts.LOAD, self._item_keys(sku, scripts.LOAD.keys), argv, deadline)
        _refuse_damage(reply)
        match [part.decode() if isinstance(part, bytes) else part for part in reply[:3]]:
            case ["done", *_]:
                return replies.read_item(sku, reply[1:])
            case ["unknown_item"]:
                raise UsageError(
                    f"there is no item {sku} in the ledger; load it first: seckill-sidecar item load {sku}"
                )
            case ["has_orders", epoch]:
                raise UsageError(f"{sku} has orders of epoch {epoch}; to start anew add --replaces {epoch}")
            case ["has_holds", epoch, units]:
                raise UsageError(
                    f"{units} units of {sku} (epoch {epoch}) are still held; "
                    f"close it and wait until they are paid or expire: seckill-sidecar item close {sku}"
                )
        raise LedgerUntrusted(STORE, f"load.lua answered {reply!r}")

    def retire(self, sku: str, by: str, deadline: Deadline) -> ItemView | None:
        """Let an item sell and settle no more until it is rebuilt; None if there is none to be read."""
        return self._rebuilding.retire(sku, by, self.now_us, deadline)

    def resume(self, sku: str, by: str, deadline: Deadline) -> None:
        """Take ``retire`` back."""
        self._rebuilding.resume(sku, by, deadline)

    def rebuild(self, item: Item, by: str, epoch: int, kept: Iterable[Kept], ends: Ends, status: str) -> ItemView:
        """Put a retired item back, with these orders; see rebuilding.py."""
        return self._rebuilding.rebuild(item, by, epoch, kept, ends, status)

    def item(self, sku: str, deadline: Deadline) -> ItemView | None:
        """The item as it stands, or None if it was never loaded."""
        flat = self._line.ask("HGETALL", self._keys.of(sku, "item"), deadline=deadline)
        return replies.read_item(sku, flat) if flat else None

    def items(self, deadline: Deadline) -> list[str]:
        """SKUs of all items that were loaded, sorted."""
        return sorted(sku.decode() for sku in self._line.ask("SMEMBERS", self._keys.index, deadline=deadline))

    def orders(self, sku: str) -> Iterator[Order]:
        """All orders of an item's present epoch, streamed in no order; an order may come twice (HSCAN)."""
        view = self.item(sku, self._patient())
        cursor = b"0"
        while view is not None:
            cursor, flat = self._line.ask(
                "HSCAN", self._keys.of(sku, "orders"), cursor, "COUNT", _SCAN_COUNT, deadline=self._patient()
            )
            for order_id, record in zip(flat[::2], flat[1::2], strict=True):
                yield replies.read_order(sku, order_id, record, view.epoch)
            if cursor == b"0":
                return

    def orders_named(self, sku: str, order_ids: Sequence[str]) -> list[Order]:
        """Those of these orders that the item's present epoch has."""
        if not order_ids:
            return []
        deadline = self._patient()
        records = self._line.ask("HMGET", self._keys.of(sku, "orders"), *order_ids, deadline=deadline)
        epoch = self._line.ask("HGET", self._keys.of(sku, "item"), "epoch", deadline=deadline)
        found = [(order_id, record) for order_id, record in zip(order_ids, records, strict=True) if record is not None]
        if found and epoch is None:
            raise _without_item(sku)
        return [replies.read_order(sku, order_id.encode(), record, epoch) for order_id, record in found]

    def outbox_from(self, item: str, after: str = "0") -> Iterator[OutboxEntry]:
        """All entries later than ``after``, oldest first, a page in memory at a time."""
        while True:
            page = self._line.ask(
                "XRANGE",
                self._keys.of(item, "outbox"),
                f"({after}",
                "+",
                "COUNT",
                _SCAN_COUNT,
                deadline=self._patient(),
            )
            yield from (OutboxEntry(item, entry_id.decode(), fields[1]) for entry_id, fields in page)
            if len(page) < _SCAN_COUNT:
                return
            after = page[-1][0].decode()

    # -- the server

    def check(self, deadline: Deadline) -> list[str]:
        """What makes this server unfit to hold stock, a sentence each."""
        info = replies.read_info(self._line.ask("INFO", deadline=deadline))
        found = []
        version = tuple(int(part) for part in info.get("redis_version", "0").split(".")[:2])
        if version < _LEAST_VERSION:
            found.append(f"Redis {info.get('redis_version')} is too old; 7.0 or later is needed (or Valkey)")
        policy = info.get("maxmemory_policy", "noeviction")
        if policy.startswith("allkeys-"):
            found.append(f"maxmemory-policy {policy} can delete stock; set it to noeviction")
        if info.get("role", "master") != "master":
            found.append(f"this is a replica (role {info['role']}); name the master in stores.redis")
        if missing := self._line.run(scripts.PERMITTED, [self._keys.index], (), deadline):
            found.append(f"this user may not run {b' '.join(missing).decode()}; allow it: ACL SETUSER … +command")
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _item_keys(self, sku: str, parts: Sequence[str]) -> list[str]:
        return [self._keys.of(sku, part) for part in parts]

    def _server_ms(self, deadline: Deadline) -> int:
        if self.now_us:
            return int(self.now_us) // 1000
        seconds, microseconds = self._line.ask("TIME", deadline=deadline)
        return int(seconds) * 1000 + int(microseconds) // 1000

    def _patient(self) -> Deadline:
        return Deadline.after(5.0, self._clock)


def sku_of(order_id: str) -> str:
    """The SKU that an order id names; raises UsageError if it is no order id."""
    match = ORDER_ID.fullmatch(order_id)
    if match is None:
        raise UsageError(f"{order_id[:100]!r} is no order id; one looks like sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM")
    return match[1]


def _without_item(sku: str) -> LedgerUntrusted:
    return LedgerUntrusted(STORE, f"there are orders of {sku}, but its item key is missing")


def _refuse_damage(reply: Sequence[Any]) -> None:
    if reply[0] == b"unavailable":
        raise LedgerUntrusted(STORE, reply[1].decode())
