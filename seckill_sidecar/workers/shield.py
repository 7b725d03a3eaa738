"""The shield: keeps the markers true, by which nginx says "sold out" without asking anybody.

    the ledger says sold out ────────────────► mark it             in every process, before its buyer is told
    a verdict ─► doubt ─► look at the item ──► mark it             in every process, 20 ms after the last look at most
    every 200 ms: look at all that is marked ─► remove what is     in one process a host, the keeper
                  no longer true, mark what is gone

Marking needs the ledger's word; removing is always safe. So a marker that came from a word of long ago goes with the
keeper's next round, and when nobody can vouch for the markers, whoever notices first removes them all.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress

from seckill_sidecar.adapters.markers import ALL_ITEMS, UNMARKED, WAITING, WAITS, Markers, Marks
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import DeadlinePassed, StoreError
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Standing, Standings

_log = logging.getLogger(__name__)

ROUND = 0.2
PATIENCE = 0.4
"""Seconds for one reading. What it says is thrown away if it took longer."""
TRUE_FOR = 1.0
"""Seconds for which a marker may stand without having been found true again."""
GATHER = 0.02
"""Seconds from one look to the next, at least; what is doubted meanwhile is looked at together."""
EARLY = 0.5
"""An item is unmarked this long before it opens, so that nothing stands in the way when it does."""
_MOST = 500
"""Items looked at in one round. More are taken in turns, those that are marked in each round."""
_SOLD_OUT: Marks = frozenset([Verdict.SOLD_OUT.value])
_DOUBTFUL = frozenset([Verdict.ACCEPTED, Verdict.SOLD_OUT, Verdict.CLOSED, Verdict.NOT_OPEN])


_all_shields: weakref.WeakSet[Shield] = weakref.WeakSet()


class Shield:
    """One process's part in keeping the markers."""

    def __init__(
        self,
        markers: Markers,
        connect: Callable[[], Standings],
        clock: Clock,
        whole: bool = False,
        spares: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``connect`` opens a view of the ledger; ``whole`` also marks ``_all`` when every item is gone.

        ``spares`` tells of items that have no marker however they stand: some of their buyers are the storefront's.
        """
        self._spares = spares
        self._markers = markers
        self._connect = connect
        self._clock = clock
        self._whole = whole
        self._pid = 0
        self._lock = threading.Lock()
        self._begin()
        _all_shields.add(self)

    def _begin(self) -> None:
        self._standings: Standings | None = None
        self._bell = threading.Event()
        self._doubts: dict[str, None] = {}
        self._keeps = self._stopped = self._troubled = False
        self._confirmed = 0.0
        self._kept_at = float("-inf")
        self._turn = 0
        self._next_look = 0.0

    # -- what the process calls

    def start(self) -> None:
        """Begin to keep the markers in a thread of this process, if that wasn't done. Never raises."""
        with self._lock:
            if self._pid == os.getpid():
                return
            # After a fork: the parent's thread, connection and lock are the parent's.
            self._pid = os.getpid()
            self._begin()
        threading.Thread(target=self._run, name="shield", daemon=True).start()

    def tell(self, fact: Decided) -> None:
        """An observer of the gate: this item may be gone now, or the ledger has just said that it is."""
        if self._is_news_of_the_end(fact):
            if self._pid != os.getpid():
                self.start()
            # In a rush the thread has its turn after dozens of purchases, all of which would pass the shield.
            with suppress(StoreError):  # the thread will meet it too, and say so
                self._mark(fact.item, _SOLD_OUT)
                return
        if fact.verdict in _DOUBTFUL and fact.item not in self._doubts and len(self._doubts) < _MOST:
            if self._pid != os.getpid():
                self.start()
            self._doubts[fact.item] = None
            self._bell.set()

    def _is_news_of_the_end(self, fact: Decided) -> bool:
        by_ledger = fact.verdict is Verdict.SOLD_OUT and fact.asked_ledger and not fact.available
        return by_ledger and fact.seconds < PATIENCE and self._are_kept() and not self._spares(fact.item)

    def _are_kept(self) -> bool:
        """Whether somebody was seen to keep the markers a moment ago: what nobody removes, nobody may set."""
        return self._clock.monotonic() - self._kept_at <= ROUND + PATIENCE

    def stop(self) -> None:
        """Mark no more; whoever is the last of its host removes all markers."""
        with self._lock:
            if self._pid != os.getpid() or self._stopped:
                return
            self._stopped = True
            self._bell.set()
            try:
                if self._keeps or self._markers.take():
                    self._markers.clear()
                    self._markers.release()
            except StoreError as error:
                _log.error("the shield's markers could not be removed: %s; remove them by hand", error)

    # -- its thread

    def _run(self) -> None:
        next_round = 0.0
        while not self._stopped:
            if self._clock.monotonic() >= next_round:
                next_round = self._clock.monotonic() + ROUND
                self._guarded(self.round)
            self._bell.wait(max(0.0, next_round - self._clock.monotonic()))
            if self._bell.is_set() and not self._stopped:
                self._look_soon()
        if self._standings is not None:
            self._standings.close()

    def _look_soon(self) -> None:
        """Look at once, unless that was done a moment ago: in a rush every verdict is a doubt."""
        now = self._clock.monotonic()
        if now < self._next_look:
            self._clock.sleep(self._next_look - now)
        self._next_look = self._clock.monotonic() + GATHER
        self._bell.clear()
        self._guarded(self.look)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
            self._troubled = False
        except StoreError as error:
            if not self._troubled:
                _log.warning("the shield is off, the gate answers everybody: %s", error)
            self._troubled = True
        except Exception:  # noqa: BLE001 - a bug of ours must not leave markers that nobody keeps
            _log.exception("the shield failed")
            self._guarded(self._abandon)

    def look(self) -> None:
        """Mark the items that verdicts have cast doubt on, if they are gone. Raises ``StoreError``."""
        doubts = []
        while self._doubts:
            doubts.append(self._doubts.popitem()[0])
        doubts = [sku for sku in doubts if not self._markers.is_marked(sku)] if self._are_kept() else []
        for standing in self._see(doubts):
            if standing.gone is not None:
                self._mark(standing.sku, marks_of(standing))

    def round(self) -> None:
        """Find out what is gone and what is back, if this process is the keeper; become it if nobody is.

        Raises ``StoreError``, with the markers removed unless they were confirmed within the last second.
        """
        if not self._keeps and not self._take():
            if self._markers.silence() > TRUE_FOR:
                self._markers.clear()
            else:
                self._kept_at = self._clock.monotonic()
            return
        began = self._clock.monotonic()
        try:
            marked = self._markers.marked()
            self._visit(marked)
        except StoreError:
            # Before the next round will have failed too, they would be too old.
            if self._clock.monotonic() + ROUND + PATIENCE - self._confirmed > TRUE_FOR:
                self._abandon()
            raise
        self._confirmed = self._kept_at = began
        self._markers.beat()

    def _take(self) -> bool:
        with self._lock:
            self._keeps = not self._stopped and self._markers.take()
        if self._keeps:
            # Left by somebody who died, who knows how long ago.
            self._markers.clear()
            self._markers.beat()
            self._confirmed = self._clock.monotonic()
        return self._keeps

    def _abandon(self) -> None:
        """Leave it to whoever can do it."""
        try:
            self._markers.clear()
        finally:
            self._keeps = False
            self._markers.release()

    def _visit(self, marked: dict[str, Marks]) -> None:
        items = self._view().items(self._deadline())
        chosen = self._choose(items, marked)
        standings = self._see(chosen)
        for standing in standings:
            self._mark(standing.sku, marks_of(standing), marked.get(standing.sku, UNMARKED))
        # Once each is looked at in this round: of items in turns, nobody can say how all of them stand.
        together = together_of(standings) if self._whole and len(chosen) == len(items) else UNMARKED
        self._mark(ALL_ITEMS, together, marked.get(ALL_ITEMS, UNMARKED))
        for name in marked.keys() - set(chosen) - {ALL_ITEMS}:
            self._mark(name, UNMARKED, marked[name])

    def _choose(self, items: Sequence[str], marked: dict[str, Marks]) -> list[str]:
        """What to look at in this round: everything that is marked, and of the rest as much as there is room for."""
        if len(items) <= _MOST:
            return list(items)
        chosen = [sku for sku in items if sku in marked][: 4 * _MOST]
        self._turn = (self._turn + _MOST) % len(items)
        turn = [sku for sku in [*items, *items][self._turn : self._turn + _MOST] if sku not in marked]
        return chosen + (turn if len(chosen) < 4 * _MOST else [])

    def _see(self, skus: Sequence[str]) -> list[Standing]:
        """How they stand at this moment. Raises ``StoreError``, also if the answer came so late that it may be old."""
        if not skus:
            return []
        deadline = self._deadline()
        standings = self._view().of(skus, deadline)
        if deadline.passed():
            raise DeadlinePassed("ledger", f"it took longer than {PATIENCE} s to say how items stand")
        return [Standing(one.sku) if self._spares(one.sku) else one for one in standings]

    def _mark(self, name: str, wanted: Marks, present: Marks = UNMARKED) -> None:
        if wanted != present:
            with self._lock:
                self._markers.mark(name, UNMARKED if self._stopped else wanted, present)

    def _view(self) -> Standings:
        if self._standings is None:
            self._standings = self._connect()
        return self._standings

    def _deadline(self) -> Deadline:
        return Deadline.after(PATIENCE, self._clock)


def _after_fork_in_child() -> None:
    for shield in _all_shields:
        shield._lock = threading.Lock()  # the parent's may be held by a thread that is not here


os.register_at_fork(after_in_child=_after_fork_in_child)


def marks_of(standing: Standing) -> Marks:
    """The markers that an item should have."""
    if standing.gone is None or (standing.gone is Verdict.NOT_OPEN and standing.opens_in <= EARLY):
        return UNMARKED
    waits = [seconds for seconds in WAITS if seconds <= standing.opens_in]
    return frozenset([standing.gone.value, *(f"{WAITING}{max(waits)}" for _ in waits[:1])])


def together_of(standings: Sequence[Standing]) -> Marks:
    """The markers for a request whose item nginx can't see: what is true of it whichever item it names."""
    reasons = {standing.gone for standing in standings}
    if not reasons or None in reasons:
        return UNMARKED
    if reasons == {Verdict.NOT_OPEN}:
        return marks_of(min(standings, key=lambda standing: standing.opens_in))
    if Verdict.NOT_OPEN in reasons:
        return UNMARKED  # who waits for an opening must not be sent away
    return frozenset([Verdict.CLOSED.value if reasons == {Verdict.CLOSED} else Verdict.SOLD_OUT.value])
