"""The way of a purchase, top to bottom.

    route ── mode? ── origin? ── room? ── identify ── local ── challenge? ── reserve
                                                              ══ point of no return ══ hand off ── reply

What is no purchase leaves at the first stage; if it is a payment or a cancellation, its answer is watched
(``settle.py``). What is not the gate's to decide leaves at the second (``mode.py``). What is refused leaves by a
``Refusal``, from whichever stage found the reason, and becomes an answer at the end. Past the point of no return
the order exists, and every answer says so or names it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import OutcomeUnknown, SeckillError, StoreError
from seckill_sidecar.gate.challenge import Challenger
from seckill_sidecar.gate.hand_off import HandOff, unknown_outcome
from seckill_sidecar.gate.identify import Identifier
from seckill_sidecar.gate.local import Local
from seckill_sidecar.gate.origin import FOREIGN, Origins
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.gate.reserve import Reserver, is_down
from seckill_sidecar.gate.room import Room
from seckill_sidecar.gate.route import Match, Routes
from seckill_sidecar.gate.settle import Promptly, Watched, Watcher
from seckill_sidecar.model import Decision, Order, Purchase, Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Answer, Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.trace import NO_TRACE, Trace, follow


@dataclass(frozen=True, slots=True)
class PassOn:
    """The storefront answers this request, untouched by us."""

    watched: Watched | None = None
    """What its answer settles, if it is yes: ``Pipeline.storefront_said`` wants to be told."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The storefront answers this accepted purchase; the request carries our signed headers."""

    order: Order
    match: Match
    headers: list[tuple[str, str]]
    answer_headers: list[tuple[str, str]]
    """What the storefront's answer gets on its way to the buyer: our cookie."""
    trace: Trace = NO_TRACE


Outcome = PassOn | Forward | Answer
_log = logging.getLogger(__name__)
PASS_ON = PassOn()
LOST = "it is not known whether this purchase went through: look at your orders"
ABANDONED = "abandoned"
"""The reason that the log has for a purchase whose client was gone before anything was asked of the ledger."""
STAGES = ("route", "room", "identify", "local", "challenge", "reserve", "hand_off")
"""In the order in which a purchase goes through them; ``reply`` comes after whichever was its last."""
RESERVED = STAGES.index("reserve") + 1
"""Which of the moments is the end of asking the ledger, if it was asked."""


class Decided(NamedTuple):
    """The fact that observers are told: one purchase request, decided. A tuple, since each loser makes one."""

    route: str
    verdict: Verdict
    seconds: float
    item: str = ""
    order_id: str = ""
    buyer: str = ""
    reason: str = ""
    moments: Sequence[float] = ()
    """On the monotonic clock: its beginning, the end of each stage that it went through, its end."""
    trace: Trace = NO_TRACE
    address: str = ""
    """Where it came from, for those verdicts only of which an observer wants to know it."""
    available: int = 0
    """Of an item that is sold out for this buyer, the units that are left."""

    @property
    def asked_ledger(self) -> bool:
        """Whether it came as far as the reserve stage."""
        return len(self.moments) > RESERVED + 1

    def stages(self) -> dict[str, float]:
        """The seconds that each stage took, in their order."""
        names = (*STAGES[: len(self.moments) - 2], "reply")
        return {name: end - start for name, start, end in zip(names, self.moments[:-1], self.moments[1:], strict=False)}


Observer = Callable[[Decided], None]
PassesOn = Callable[[Request, Match], bool]
"""Whether a request of a route is not the gate's to decide: the mode stage."""


@dataclass(frozen=True, slots=True)
class Policies:
    """How long a purchase may take, and what happens when a store is down."""

    request_seconds: float
    on_ledger_down: Literal["refuse", "storefront"]
    on_storefront_down: Literal["keep", "release"]


class Pipeline:
    """The gate: the same for every plug."""

    def __init__(
        self,
        routes: Routes,
        origins: Origins,
        room: Room,
        local: Local,
        identifier: Identifier,
        reserver: Reserver,
        hand_off: HandOff,
        reply: Reply,
        watcher: Watcher,
        promptly: Promptly,
        policies: Policies,
        clock: Clock,
        observers: Sequence[Observer] = (),
        passes_on: PassesOn = lambda *_: False,
        trace: Callable[[Mapping[str, Any]], Trace] = follow,
        addressed: Collection[Verdict] = (),
        challenger: Challenger | None = None,
    ) -> None:
        """``trace`` finds out from a request's environ where it stands in its caller's trace.

        Facts with a verdict of ``addressed`` name the client's address. Without a ``challenger`` no
        route has a challenge.
        """
        self._routes = routes
        self._origins = origins
        self._room = room
        self._local = local
        self._identifier = identifier
        self._reserver = reserver
        self._hand_off = hand_off
        self._reply = reply
        self._watcher = watcher
        self._promptly = promptly
        self._policies = policies
        self._clock = clock
        self._observers = tuple(observers)
        self._passes_on = passes_on
        self._trace = trace
        self._addressed = addressed
        self._challenger = challenger

    def decide(self, request: Request) -> Outcome:
        """What becomes of one request. Never raises for what a client or a store did."""
        # A stage's end is one reading of the clock and nothing else: most who come here are refused.
        now = self._clock.monotonic
        visit = _Visit([now()])
        ended = visit.moments.append
        try:
            match = self._routes.match(request)
            if match is None:
                watched = self._watcher.watched(request)
                return PASS_ON if watched is None else PassOn(watched)
            if self._passes_on(request, match):
                return PASS_ON
            visit.match = match
            trace = visit.trace = self._trace(request.environ)
            ended(now())
            match.refuse_if_faulty()
            self._origins.refuse_if_foreign(request, match.route)
            self._room.refuse_if_full()
            ended(now())
            self._identifier.take_in(request)
            # From here on: how long a client takes to send its body is not the stores' fault.
            deadline = Deadline.after(self._policies.request_seconds, self._clock)
            purchase = self._identifier.purchase(request, match.route, match.path_values, deadline, trace.goes_on)
            visit.purchase = purchase
            ended(now())
            self._spare_the_ledger(request, purchase)
            with self._room.place():
                self._refuse(self._local.ask_others(purchase))
                ended(now())
                if self._challenger is not None and match.route.challenged_at == "purchase":
                    self._challenge(self._challenger, request, match.route, purchase, deadline)
                ended(now())
                decision = visit.decision = self._reserve(purchase, deadline)
                ended(now())
                # ═══ the point of no return: the order exists ═══
                self._hand_off.deliver(decision, deadline, purchase.traceparent)
            ended(now())
            return self._accepted(request, match, decision, trace)
        except Malformed as error:
            return self._refused(request, visit, Refusal(Verdict.INVALID, error.detail, status=error.status))
        except Refusal as refusal:
            return self._refused(request, visit, refusal)
        except _LedgerDown:
            ended(now())
            return PASS_ON
        except Exception as error:  # noqa: BLE001 - a bug of ours: say what is true all the same
            return self._refused(request, visit, self._baffled(visit, error))
        finally:
            self._tell(visit, request)

    def storefront_said(self, watched: Watched, status: str) -> None:
        """Settle what this answer of the storefront settles, if it is yes. Takes a second at most; never raises."""
        if watched.means_yes(status):
            self._promptly.settle(watched.wish)

    def not_repeated(self, request: Request) -> Answer:
        """A purchase sent again that is not the gate's to decide: the storefront may have taken it already."""
        return self._reply.refused(request, Refusal(Verdict.UNAVAILABLE, LOST, page="lost"))

    def storefront_failed(self, request: Request, order: Order, error: SeckillError) -> Answer:
        """The storefront could not serve an accepted purchase: keep the order or give it back, and say so.

        It is never given back while the storefront may have taken it: the unit would be sold twice.
        """
        if self._policies.on_storefront_down == "release" and not isinstance(error, OutcomeUnknown):
            deadline = Deadline.after(self._policies.request_seconds, self._clock)
            try:
                self._hand_off.release(order, "storefront down", deadline)
            except Refusal as refusal:
                return self._reply.refused(request, refusal, order.buyer)
        return self._reply.kept(request, order)

    def _spare_the_ledger(self, request: Request, purchase: Purchase) -> None:
        """The local stage: raises the ``Refusal`` of what can be decided without asking anybody."""
        self._refuse(self._local.recall(purchase))
        if request.is_abandoned():
            raise Refusal(Verdict.UNAVAILABLE, "you hung up; this try bought nothing", reason=ABANDONED)

    def _refuse(self, decision: Decision | None) -> None:
        if decision is not None:
            raise self._reply.refusal_of(decision)

    def _challenge(
        self, challenger: Challenger, request: Request, route: Route, purchase: Purchase, deadline: Deadline
    ) -> None:
        """The challenge stage: raises ``Refusal`` unless the request carries a solution for this purchase."""
        try:
            challenger.check(request, route, purchase.buyer, purchase.item, deadline, purchase.key)
        except StoreError as error:
            raise self._without_ledger(error) from error

    def _reserve(self, purchase: Purchase, deadline: Deadline) -> Decision:
        """The reserve stage: a decision that is an order, or a ``Refusal``."""
        decision = self._ask_ledger(purchase, deadline)
        self._local.remember(purchase.item, decision)
        if decision.order is None:
            raise self._reply.refusal_of(decision)
        return decision

    def _ask_ledger(self, purchase: Purchase, deadline: Deadline) -> Decision:
        try:
            return self._reserver.decide(purchase, deadline)
        except OutcomeUnknown as error:
            raise unknown_outcome(purchase.order_id, error) from error
        except StoreError as error:
            raise self._without_ledger(error) from error

    def _without_ledger(self, error: StoreError) -> Refusal | _LedgerDown:
        """What to raise when the ledger has surely sold nothing."""
        if self._policies.on_ledger_down == "storefront" and is_down(error):
            return _LedgerDown()
        return Refusal(
            Verdict.UNAVAILABLE,
            "the shop can't take orders at this moment; this try bought nothing",
            retry_after=getattr(error, "retry_after", 1) or 1,
            reason=str(error),
        )

    def _accepted(self, request: Request, match: Match, decision: Decision, trace: Trace) -> Outcome:
        order = decision.order
        assert order is not None  # noqa: S101 - _reserve refuses otherwise
        if decision.verdict is Verdict.ACCEPTED and match.route.on_accept == "storefront":
            headers = self._reply.storefront_headers(order)
            if trace.storefront:
                headers.append(("Traceparent", trace.storefront))
            return Forward(order, match, headers, self._reply.answer_headers(order), trace)
        return self._reply.accepted(request, match.route, order, decision.verdict)

    def _baffled(self, visit: _Visit, error: Exception) -> Refusal:
        """The truthful answer to an error that nobody foresaw: perhaps there is an order, ask by its id."""
        _log.exception("unforeseen %s while deciding a purchase", type(error).__name__)
        if visit.purchase is not None:
            return unknown_outcome(visit.purchase.order_id, error)
        return Refusal(
            Verdict.UNAVAILABLE, "something went wrong; this try bought nothing", retry_after=1, reason=repr(error)
        )

    def _refused(self, request: Request, visit: _Visit, refusal: Refusal) -> Answer:
        visit.moments.append(self._clock.monotonic())
        # Its traceback holds the frames that hold it: each refusal would be left to the garbage collector.
        visit.refusal = refusal.with_traceback(None)
        purchase = visit.purchase
        buyer = purchase.buyer if purchase is not None else ""
        return self._reply.refused(request, refusal, buyer)

    def _tell(self, visit: _Visit, request: Request) -> None:
        if visit.match is None and visit.refusal is None:
            return
        visit.moments.append(self._clock.monotonic())
        fact = visit.fact(self._address_of(visit, request) if self._addressed else "")
        for observer in self._observers:
            observer(fact)

    def _address_of(self, visit: _Visit, request: Request) -> str:
        if visit.refusal is None or visit.refusal.verdict not in self._addressed:
            return ""
        if visit.refusal.reason == FOREIGN:
            return ""  # the browser's owner is the victim
        if visit.purchase is not None:
            return visit.purchase.address
        try:
            return self._identifier.address(request)
        except Refusal:
            return ""


class _LedgerDown(Exception):
    """The ledger is out of reach and the policy is to let the storefront sell by itself."""


@dataclass(slots=True)
class _Visit:
    """How far one request has come."""

    moments: list[float]
    trace: Trace = NO_TRACE
    match: Match | None = None
    purchase: Purchase | None = None
    decision: Decision | None = None
    refusal: Refusal | None = None

    def fact(self, address: str) -> Decided:
        verdict, reason = Verdict.UNAVAILABLE, "ledger down, left to the storefront"
        if self.refusal is not None:
            verdict, reason = self.refusal.verdict, self.refusal.reason
        elif self.decision is not None:
            verdict, reason = self.decision.verdict, ""
        order = self.decision.order if self.decision is not None else None
        named = self.refusal.order_id if self.refusal is not None else None
        return Decided(
            route=self.match.route.name if self.match is not None else "",
            verdict=verdict,
            seconds=self.moments[-1] - self.moments[0],
            item=self.purchase.item if self.purchase is not None else "",
            order_id=named or (order.id if order is not None else ""),
            buyer=self.purchase.buyer if self.purchase is not None else "",
            reason=reason,
            moments=self.moments,
            trace=self.trace,
            address=address,
            available=(self.refusal.available or 0) if self.refusal is not None else 0,
        )
