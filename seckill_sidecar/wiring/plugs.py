"""What a site's gate is plugged into: the middleware, the proxy behind it, our own addresses and the operator's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from prometheus_client.registry import Collector

from seckill_sidecar.adapters.markers import Markers
from seckill_sidecar.adapters.storefront import ReverseProxy
from seckill_sidecar.errors import UsageError
from seckill_sidecar.gate.identify import AddressReader
from seckill_sidecar.gate.route import Routes
from seckill_sidecar.gate.standing import Lookout
from seckill_sidecar.observers.metrics import Audits, Marked, Moments
from seckill_sidecar.ops import status
from seckill_sidecar.plugs.challenges import ChallengeResource
from seckill_sidecar.plugs.hand_over import HandOver, Tickets, UnservedResource
from seckill_sidecar.plugs.middleware import Application, Middleware
from seckill_sidecar.plugs.operator import Doors, Guard, Orders, Status, operator_application
from seckill_sidecar.plugs.operator import Metrics as OperatorMetrics
from seckill_sidecar.plugs.order_page import ErrorPages
from seckill_sidecar.plugs.own import own_application
from seckill_sidecar.plugs.probe import Probe
from seckill_sidecar.plugs.results.sockets import Conversations
from seckill_sidecar.plugs.script import ScriptResource
from seckill_sidecar.wiring.admission import Admission
from seckill_sidecar.wiring.results import Results


class Plugs(Results, Admission):
    """What stands around the gate of one site."""

    def middleware(self, application: Application) -> Middleware:
        """The gate around a WSGI application."""
        prefix = self.settings.serve.prefix
        resources = self.result_resources() | self.admission_resources()
        resources |= self._challenge_resources() | self._unserved_resources()
        resources["seckill.js"] = ScriptResource("seckill.js")
        own = own_application(prefix, resources, ErrorPages(f"{prefix}orders/", self.pages))
        # Handed over, the request is nginx's: how long the shop takes isn't seen here.
        seen = self.settings.serve.hand_over == "proxy"
        return Middleware(
            application,
            self.gate,
            Conversations(own),
            prefix,
            self.breaker("storefront"),
            self._probe(),
            self.clock,
            observers=[self.tracing.asked] if self.tracing is not None and seen else [],
        )

    def _probe(self) -> Probe:
        settings = self.settings
        routes = Routes(settings.routes, settings.limits.body)  # whether they are off at the moment or not
        return Probe(routes, AddressReader(settings.identity), self.keyring, self.clock)

    def storefront(self) -> Application:
        """The legacy site as the sidecar reaches it. Raises ``UsageError`` if nobody says where it is."""
        settings = self.settings
        if settings.stores.storefront is None:
            raise UsageError("stores.storefront is missing: the sidecar needs to know where the legacy site is")
        proxy = ReverseProxy(settings.stores.storefront, settings.storefront, settings.timeouts, clock=self.clock)
        return HandOver(proxy, self._tickets) if settings.serve.hand_over == "x-accel" else proxy

    @cached_property
    def _tickets(self) -> Tickets:
        return Tickets(self.settings.serve.prefix, self.keyring, self.clock)

    def _challenge_resources(self) -> dict[str, object]:
        if self.challenger is None:
            return {}
        return {
            "challenges.js": ScriptResource("challenges.js"),
            "challenges/{route}": ChallengeResource(self.challenger, self.settings.routes),
        }

    def _unserved_resources(self) -> dict[str, object]:
        if self.settings.serve.hand_over != "x-accel":
            return {}
        unserved = UnservedResource(self._tickets, self.look_up, self.gate, self.settings.timeouts.request)
        return {"unserved/{ticket}/{how}": unserved}

    def doors(self, public: Application) -> Application:
        """What gunicorn serves: this application, and the operator's API at its own address if that is on."""
        operator = self.settings.operator
        if operator.token is None:
            return public
        guard = Guard(operator.token.get_secret_value(), self.keyring, self.clock)
        orders = Orders(guard, self.settler, self.look_up, self.settings.timeouts.request)
        application = operator_application(
            orders,
            OperatorMetrics(guard, self._metrics_text()),
            Status(guard, self._stores_that_answer, lambda: status.as_json(self.lookout.look())),
        )
        return Doors(public, application, operator.listen)

    def _stores_that_answer(self) -> dict[str, bool]:
        return {store: not why for store, why in self.lookout.look(most_items=0).stores.items()}

    def _metrics_text(self) -> Callable[[], bytes] | None:
        metrics = self.metrics
        if metrics is None:
            return None
        collectors: list[Collector] = [Moments(self.lookout), Audits(Path(str(self.settings.metrics.folder)))]
        if self.settings.shield.enabled:
            collectors.append(Marked(Markers(Path(self.settings.shield.folder), self.clock)))
        return lambda: metrics.text(collectors)

    @cached_property
    def lookout(self) -> Lookout:
        """Sees how everything stands."""
        depth = None if self.settings.stores.broker == "none" else self._backlog
        routes = self.route_switches("").standing
        return Lookout(self.ledger, self.looked_up_orders, depth, self.clock, routes)
