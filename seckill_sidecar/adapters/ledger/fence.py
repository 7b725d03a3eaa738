"""Whether this Redis may sell an item: it has to be as far as the database has seen the item come.

A server has a new run id after every start. An item that was verified under another one may be older than what
was sold from it (a restored dump, a replica that lagged, an emptied server that was filled again), so the scripts
refuse it as ``unverified`` until somebody has compared it with the database. A Redis that restarted with everything
intact passes at once, and reopens by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError

UNVERIFIED = "unverified"

Witness = Callable[[str], tuple[int, int]]
"""The last epoch and its highest event number that the database has of a SKU. Raises ``StoreError``."""
Verify = Callable[[str, int, int, Deadline], bool]

_PAUSE = 0.5


class Fence:
    """Verifies items for one process: one at a time, and after a failure not again at once."""

    def __init__(self, witness: Witness, clock: Clock) -> None:
        self._witness = witness
        self._clock = clock
        self._lock = threading.Lock()
        self._results: dict[str, tuple[float, str]] = {}
        """By item: when it was last verified, and why that failed (empty if it passed)."""

    def pass_or_refuse(self, sku: str, verify: Verify, deadline: Deadline) -> None:
        """Return if the item may sell on this server now; raises ``LedgerUntrusted`` with the reason if not."""
        asked = self._clock.monotonic()
        if not self._lock.acquire(timeout=max(0.001, deadline.remaining())):
            raise LedgerUntrusted("ledger", f"{UNVERIFIED}: another verification is under way")
        try:
            at, failure = self._results.get(sku, (float("-inf"), ""))
            # Who waited for the lock finds the answer that was given meanwhile.
            if at < asked and not (failure and self._clock.monotonic() - at < _PAUSE):
                failure = self._verify(sku, verify, deadline)
                self._results[sku] = (self._clock.monotonic(), failure)
        finally:
            self._lock.release()
        if failure:
            raise LedgerUntrusted("ledger", f"{UNVERIFIED}: {failure}")

    def _verify(self, sku: str, verify: Verify, deadline: Deadline) -> str:
        try:
            epoch, events = self._witness(sku)
        except StoreError as error:
            return f"it can't be known how far {sku} had come ({error})"
        if verify(sku, epoch, events, deadline):
            return ""
        return (
            f"this Redis is behind the database (epoch {epoch}, event {events} of {sku}): it was restored, emptied or "
            f"is another one. Bring its newest data back; if that is lost, make it anew from the database: "
            f"seckill-sidecar rebuild {sku}"
        )
