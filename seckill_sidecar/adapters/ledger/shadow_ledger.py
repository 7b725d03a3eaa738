"""The shadow of the ledger: reserve.lua on keys that lie beside an item's own, for what would have been sold.

    mirror ─► reserve ─► tidy       one pipeline; see shadow.lua for the first and the last

Nothing of it is ever settled, handed off, verified or found by whoever walks the ledger.
"""

from __future__ import annotations

from seckill_sidecar.adapters.ledger import replies, scripts
from seckill_sidecar.adapters.ledger.asking import Asking, LedgerRules
from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import RUN_ID, Line
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Decision, ItemView, Order, Purchase, Verdict

_LIFETIME_MS = 3 * 86_400_000
_FIRST_SIGHT = (0, 0)
"""What is demanded of the ledger's age: nothing, since it may be started anew at any time."""


class ShadowLedger:
    """``ports.Shadow`` on one Redis."""

    def __init__(self, line: Line, keys: Keys, rules: LedgerRules, now_us: str = "") -> None:
        """``now_us`` replaces the server's time in tests; production leaves it empty."""
        self._line = line
        self._keys = keys
        self._asking = Asking(line, keys.shadow, rules)
        self.now_us = now_us

    def reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """What the item itself would have answered, had everything been sold through the gate."""
        if purchase.key is not None and not self._asking.bind(purchase, deadline):
            return Decision(Verdict.CONFLICT)
        keys, argv = self._asking.keys_of(purchase), self._asking.argv_of(purchase, _FIRST_SIGHT, self.now_us)
        mirror, tidy = (self._call(purchase.item, action) for action in ("mirror", "tidy"))
        answers = self._line.run_all([mirror, (scripts.RESERVE, keys, argv), tidy], deadline)
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        mirrored, reply, _ = answers
        return replies.read_decision(purchase.item, reply if mirrored[0] == b"done" else mirrored)

    def seal(self, order_id: str, deadline: Deadline) -> Order | None:
        """None, and nothing else: nobody is told of an order here, so none has to be made impossible."""
        del order_id, deadline
        return None

    def item(self, sku: str, deadline: Deadline) -> ItemView | None:
        """The shadow as it stands, or None if there is none."""
        flat = self._line.ask("HGETALL", self._keys.shadow.of(sku, "item"), deadline=deadline)
        return replies.read_item(sku, flat) if flat else None

    def forget(self, sku: str, deadline: Deadline) -> None:
        """Let the next purchase start it anew."""
        script, keys, argv = self._call(sku, "forget")
        self._line.run(script, keys, argv, deadline)

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _call(self, sku: str, action: str) -> tuple[scripts.Script, list[str], tuple[object, ...]]:
        parts = [self._keys.shadow.of(sku, part) for part in scripts.SHADOW.keys[1:]]
        return scripts.SHADOW, [self._keys.of(sku, "item"), *parts], (action, RUN_ID, _LIFETIME_MS)
