"""How buyers hear of the results of their purchases."""

from __future__ import annotations

import atexit
from functools import cached_property, partial

from seckill_sidecar.gate.results.desk import Desk
from seckill_sidecar.gate.results.gathered import Gathered
from seckill_sidecar.gate.results.hub import Hub
from seckill_sidecar.gate.results.pace import Pace
from seckill_sidecar.gate.results.sources import Ask, database_source, ledger_source, replica_first
from seckill_sidecar.plugs.order_page import show_result
from seckill_sidecar.plugs.results.asking import Reception
from seckill_sidecar.plugs.results.events import EventsResource
from seckill_sidecar.plugs.results.following import Follower, Patience
from seckill_sidecar.plugs.results.poll import OrderResource
from seckill_sidecar.plugs.results.shown import Showing
from seckill_sidecar.plugs.results.sockets import SocketResource
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wiring.gate import Gate


class Results(Gate):
    """What answers for orders."""

    @cached_property
    def waiting(self) -> Hub:
        """Everybody in this process who waits for an order."""
        database = database_source(self.looked_up_orders, self.breaker("database"))
        sources = [database, ledger_source(self.ledger, self.breaker("ledger"))]
        results = self.settings.results
        # Where nobody knows whether a waiter takes one of few threads, the site has to say how many may.
        most = results.places if self._role == "sidecar" else results.waiters or 0
        hub = Hub(sources, most, self.clock)
        atexit.register(hub.stop)
        return hub

    def result_resources(self) -> dict[str, object]:
        """Their addresses below the prefix."""
        reception = Reception(self._asker, self.keyring, self.clock)
        follower, results = self._follower, self.settings.results
        return {
            "orders/{order_id}": OrderResource(reception, follower, results.wait, partial(show_result, self.pages)),
            "orders/{order_id}/events": EventsResource(reception, follower),
            "orders/{order_id}/socket": SocketResource(reception, follower, results.origins),
        }

    def _asker(self, request: Request) -> str:
        return self.who_asks(request, self.settings.identity.buyer)

    def _ask_for_written(self) -> Ask:
        """For look-ups. Who waits asks the database itself, since a replica lags."""
        ask = database_source(self.looked_up_orders, self.breaker("database")).ask
        return ask if self.replica is None else replica_first(self.replica, self.breaker("replica"), ask)

    @cached_property
    def _follower(self) -> Follower:
        settings, pace = self.settings, Pace(self.clock)
        written = Gathered(self._ask_for_written())
        desk = Desk(self.look_up.find, written.order, self.clock, settings.timeouts.request)
        patience = Patience(settings.results.heartbeat, settings.timeouts.request, settings.results.longest)
        return Follower(desk, self.waiting, Showing(pace, self.clock), pace, self.clock, patience)
