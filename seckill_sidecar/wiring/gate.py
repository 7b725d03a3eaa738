"""The gate of a site: the pipeline and its stages, modes, the shield, and how orders are settled and found."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from seckill_sidecar.adapters.invited_list import read_list, version_of
from seckill_sidecar.adapters.ledger import (
    RedisStandings,
    ShadowLedger,
    connect_invitations,
    connect_shadow,
    connect_standings,
    connect_switches,
)
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.gate.hand_off import HandOff
from seckill_sidecar.gate.invited import Invited, InvitedLedger
from seckill_sidecar.gate.known import KnownItems
from seckill_sidecar.gate.local import Local, Recall
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.mode import Matched, ModeStage, Share, Stances
from seckill_sidecar.gate.origin import Origins
from seckill_sidecar.gate.pipeline import Observer, Pipeline, Policies
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.gate.reserve import Reserver
from seckill_sidecar.gate.room import Room
from seckill_sidecar.gate.route import Routes
from seckill_sidecar.gate.sample import Sampler
from seckill_sidecar.gate.settle import Promptly, Settler, Watcher
from seckill_sidecar.gate.written import WrittenOrders
from seckill_sidecar.observers import log
from seckill_sidecar.observers.abuse import ABUSE, AbuseLog
from seckill_sidecar.ops.nginx.sight import any_sees_all
from seckill_sidecar.ops.routes import RouteSwitches
from seckill_sidecar.ports import Reserving
from seckill_sidecar.settings.schema import PageSettings
from seckill_sidecar.settings.theme import theme_of
from seckill_sidecar.wire.pages import Pages
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.trace import follow
from seckill_sidecar.wiring.challenges import Challenges
from seckill_sidecar.workers.shield import Shield
from seckill_sidecar.workers.switchboard import Switchboard
from seckill_sidecar.workers.ticker import Ticker

_log = logging.getLogger(__name__)


class Gate(Challenges):
    """The gate of one site."""

    @cached_property
    def gate(self) -> Pipeline:
        settings = self.settings
        policies = settings.fallbacks
        return self._pipeline(
            self.ledger,
            self._room,
            self._hand_off,
            Policies(settings.timeouts.request, policies.on_ledger_down, policies.on_storefront_down),
            self._observers(),
            passes_on=self._mode_stage.passes_on,
            addressed=ABUSE if settings.log.abuse is not None else (),
            challenger=self.challenger,
            trace=follow if self.tracing is None else Sampler(settings.tracing.sample, self.clock),
        )

    def _pipeline(
        self,
        ledger: Reserving,
        room: Room,
        hand_off: HandOff,
        policies: Policies,
        observers: Sequence[Observer],
        **more: Any,
    ) -> Pipeline:
        """``more`` is what else a ``Pipeline`` may be given."""
        settings, clock = self.settings, self.clock
        known_items = [item.sku for item in settings.items]
        return Pipeline(
            routes=self._routes,
            origins=self._origins,
            room=room,
            local=Local(settings.limits.remember_sold_out, clock, self._recalls),
            identifier=self._identifier,
            reserver=Reserver(self._invited_only(ledger), self.breaker("ledger"), clock, known_items),
            hand_off=hand_off,
            reply=Reply(
                settings.serve.prefix,
                self.keyring,
                settings.limits,
                clock,
                shielded=settings.shield.enabled,
                receipt_seconds=settings.results.receipt,
                pages=self.pages,
            ),
            watcher=Watcher(settings.settles, settings.limits.body),
            promptly=Promptly(self.settler, clock),
            policies=policies,
            clock=clock,
            observers=observers,
            **more,
        )

    @cached_property
    def _recalls(self) -> Sequence[Recall]:
        """Who can refuse a purchase without asking the ledger for it."""
        known = [self._known_items.recall] if self._goes_by_names else []
        return [*known, *([self._invited.recall] if self._invited is not None else [])]

    @property
    def _goes_by_names(self) -> bool:
        return self.settings.limits.remember_sold_out > 0

    @cached_property
    def _known_items(self) -> KnownItems:
        """The items of the ledger, configured ones in any case: one that it does not know it has lost."""
        configured = [item.sku for item in self.settings.items]
        return KnownItems(self._ledgers_items, self.clock, self.settings.timeouts.ledger, configured)

    def _ledgers_items(self, deadline: Deadline) -> Sequence[str]:
        with self.breaker("ledger").calling():
            return self._standings.items(deadline)

    @cached_property
    def _standings(self) -> RedisStandings:
        return connect_standings(self.settings, self.clock)

    @cached_property
    def _written_items(self) -> KnownItems:
        """The items of the database, which a ledger that was lost may have had."""
        return KnownItems(self._databases_items, self.clock, self.settings.timeouts.request)

    def _databases_items(self, _: Deadline) -> Sequence[str]:
        with self.breaker("database").calling():
            return self.looked_up_orders.items()

    def _is_unknown(self, sku: str) -> bool:
        return self._known_items.is_unknown(sku) and self._written_items.is_unknown(sku)

    @cached_property
    def _invited(self) -> Invited | None:
        """None if every item is for everybody."""
        files = {item.sku: item.eligible for item in self.settings.items if item.eligible is not None}
        return Invited(files, read_list, version_of, self.clock) if files else None

    def _invited_only(self, ledger: Reserving) -> Reserving:
        if self._invited is None:
            return ledger
        return InvitedLedger(ledger, self._invited, connect_invitations(self.settings, self.clock))

    @cached_property
    def pages(self) -> Pages:
        """What browsers are shown. A theme that was broken after the check costs its looks only, not the sale."""
        settings = self.settings.pages
        try:
            return Pages(theme_of(settings))
        except ConfigurationError as error:
            _log.error("the pages are shown in the program's own words: %s", error)
            return Pages(theme_of(PageSettings()))

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self.settings.routes, self.settings.limits.body, self.stances.of)

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self.settings.identity.origins, self.settings.routes)

    @cached_property
    def _room(self) -> Room:
        return self._new_room()

    def _new_room(self) -> Room:
        return Room(self.settings.limits.in_flight, self.settings.limits.wait, self.clock)

    def tick(self) -> None:
        """Tell from now on how late the timers of this process are, and how much is under way, if anybody counts."""
        if (metrics := self.metrics) is not None:
            Ticker(lambda late: metrics.present.ticked(late, self._room.inside), self.clock).start()

    def _observers(self) -> list[Observer]:
        settings = self.settings.log
        observers: list[Observer] = [log.DecisionLog(self.clock, self.keyring.pseudonym, settings.refusals)]
        if self._abuse_log is not None:
            observers.append(self._abuse_log)
        if self.metrics:
            observers.append(self.metrics.decided)
        if self.tracing:
            observers.append(self.tracing.decided)
        if self.shield is not None:
            observers.append(self.shield.tell)
        return observers

    @cached_property
    def _abuse_log(self) -> AbuseLog | None:
        rate = self.settings.log.abuse
        return None if rate is None else AbuseLog(rate, self.clock)

    @cached_property
    def stances(self) -> Stances:
        """How each route is treated in this process."""
        return Stances(self.settings.routes)

    @cached_property
    def _mode_stage(self) -> ModeStage:
        # The oldest key: a new one that comes before it moves no buyer to the other side.
        secret = self.settings.keys[-1].secret.get_secret_value().encode() if self.settings.keys else b""
        observers = [self.metrics.passed_on] if self.metrics else []
        return ModeStage(self.stances, Share(secret), self._buyer_of, self._rehearsal().decide, observers)

    def _buyer_of(self, request: Request, match: Matched) -> str:
        deadline = Deadline.after(self.settings.timeouts.request, self.clock)
        return self._identifier.buyer_of(request, match.route, match.path_values, deadline)

    def _rehearsal(self) -> Pipeline:
        """The same gate, of which nobody hears but the log: it keeps nobody waiting, and hands nothing off."""
        settings = self.settings
        seconds = min(settings.timeouts.request, settings.timeouts.ledger)
        observers: list[Observer] = [
            log.DecisionLog(self.clock, self.keyring.pseudonym, settings.log.refusals, mode="shadow")
        ]
        if self.metrics:
            observers.append(self.metrics.rehearsed)
        hand_off = HandOff(self.ledger, None, self.breaker("broker"), "keep", log.log_left_undone)
        return self._pipeline(self.shadow, self._new_room(), hand_off, Policies(seconds, "refuse", "keep"), observers)

    @cached_property
    def shadow(self) -> ShadowLedger:
        """The ledger beside the ledger."""
        return connect_shadow(self.settings, self.clock)

    def route_switches(self, who: str) -> RouteSwitches:
        """What operators say of routes, seen and said by one of them."""
        return RouteSwitches(connect_switches(self.settings, self.clock), self.settings.routes, self.clock, who)

    def follow_switches(self) -> None:
        """Treat routes as operators say, from now on and as it changes."""
        if self.settings.routes:
            Switchboard(partial(connect_switches, self.settings, self.clock), self.stances, self.clock).start()

    @cached_property
    def shield(self) -> Shield | None:
        """None unless it is enabled."""
        settings = self.settings
        if not settings.shield.enabled:
            return None
        markers = self._markers
        connect = partial(connect_standings, settings, self.clock)
        return Shield(markers, connect, self.clock, any_sees_all(settings.routes), self.stances.spares)

    def keep_shield(self) -> None:
        """Keep the shield's markers from now on, if it is enabled; the last process of this host removes them."""
        if self.shield is not None:
            self.shield.start()
            atexit.register(self.shield.stop)

    @cached_property
    def _hand_off(self) -> HandOff:
        policy = self.settings.fallbacks.on_broker_down
        return HandOff(
            self.ledger, self.broker, self.breaker("broker"), policy, log.log_left_undone, self._hand_off_observers
        )

    @cached_property
    def settler(self) -> Settler:
        """Settles orders for watched routes and for the operator."""
        deliver = self._hand_off.deliver_settled
        observers = [log.log_settling, *([self.metrics.settling] if self.metrics else [])]
        return Settler(self.ledger, self.breaker("ledger"), deliver, self.clock, observers)

    def settler_by_hand(self) -> Settler:
        """The same for a command, which prints what became of it; the relay hands the event off."""
        return Settler(self.ledger, self.breaker("ledger"), lambda *_: None, self.clock)

    @cached_property
    def look_up(self) -> LookUp:
        """Finds orders in the ledger, else in the database."""
        written = WrittenOrders(self.looked_up_orders, self.breaker("database"), self.replica, self.breaker("replica"))
        if not self._goes_by_names:
            return LookUp(self.ledger, self.breaker("ledger"), written, self.clock)
        return LookUp(self.ledger, self.breaker("ledger"), written, self.clock, self._is_unknown)
