"""Items that are for invited buyers only: who surely isn't invited is refused here, and the ledger settles the rest.

    local     the filter in the file: surely not ──► not_eligible      (Redis never sees it)
    reserve   the ledger's own list: not after all ► not_eligible      (one in two thousand strangers comes so far)

Without a list that is whole, in the file and in the ledger, nobody can buy: damage lets no stranger in.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import OutcomeUnknown, StoreDown, UnusableList
from seckill_sidecar.model import Decision, Order, Purchase, Verdict
from seckill_sidecar.ports import Invitations, InvitedList, Reserving, Seat

_log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds from one look for another file to the next."""
_NOT_ELIGIBLE = Decision(Verdict.NOT_ELIGIBLE)


class _Kept:
    """The list of one item, and the file that it came from."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.version: Hashable = ()
        self.list: InvitedList | None = None
        self.trouble = ""


class Invited:
    """The lists of one process, read at its start and again when another file is there."""

    def __init__(
        self,
        files: Mapping[str, str],
        read: Callable[[str, str], InvitedList],
        version_of: Callable[[str], Hashable],
        clock: Clock,
    ) -> None:
        """``files`` by item; ``read`` takes a path and an item, and raises ``UnusableList``."""
        self._kept = {sku: _Kept(path) for sku, path in files.items()}
        self._read = read
        self._version_of = version_of
        self._clock = clock
        self._lock = threading.Lock()
        self._look()

    def recall(self, purchase: Purchase) -> Decision | None:
        """The refusal of a buyer who surely isn't invited, or of everybody while there is no list."""
        found = self.find(purchase)
        return found if isinstance(found, Decision) else None

    def find(self, purchase: Purchase) -> Decision | Seat | None:
        """That refusal; else where the ledger has this buyer, if anywhere; None if everybody may have the item."""
        kept = self._kept.get(purchase.item)
        if kept is None:
            return None
        if self._clock.monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        invited = kept.list
        if invited is None:
            return Decision(Verdict.UNAVAILABLE, reason=kept.trouble)
        return invited.seat(purchase.buyer) or _NOT_ELIGIBLE

    def _look(self) -> None:
        self._next_look = self._clock.monotonic() + EVERY
        for sku, kept in self._kept.items():
            version = self._version_of(kept.path)
            if version != kept.version:
                self._take(sku, kept)
                kept.version = version

    def _take(self, sku: str, kept: _Kept) -> None:
        try:
            kept.list = self._read(kept.path, sku)
        except UnusableList as error:
            kept.list, kept.trouble = None, str(error)
            _log.error("%s is for invited buyers only, and nobody can buy it: %s", sku, error)
        else:
            one = kept.list.generation
            _log.info("%s is for %d invited buyers only (list %s)", sku, one.count, one.name)


class InvitedLedger:
    """A ledger that is asked first whether a buyer is on the list, of items that have one."""

    def __init__(self, ledger: Reserving, invited: Invited, invitations: Invitations) -> None:
        self._ledger = ledger
        self._invited = invited
        self._invitations = invitations

    def reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """As the ledger decides, if the buyer is invited. Raises ``StoreError``."""
        found = self._invited.find(purchase)
        refusal = self._ask(purchase.item, found, deadline) if isinstance(found, Seat) else found
        return refusal or self._ledger.reserve(purchase, deadline)

    def seal(self, order_id: str, deadline: Deadline) -> Order | None:
        """As the ledger does."""
        return self._ledger.seal(order_id, deadline)

    def _ask(self, sku: str, seat: Seat, deadline: Deadline) -> Decision | None:
        try:
            invited = self._invitations.holds(sku, seat, deadline)
        except OutcomeUnknown as error:  # of a question, which changes nothing
            raise StoreDown(error.store, error.what) from error
        if invited is None:
            reason = (
                f"the ledger does not have list {seat.generation} of the buyers whom {sku} is for, or not all of it; "
                f"make it again: seckill-sidecar eligible load {sku} --from FILE"
            )
            return Decision(Verdict.UNAVAILABLE, reason=reason)
        return None if invited else _NOT_ELIGIBLE
