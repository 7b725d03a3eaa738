"""What a site's gate is plugged into: the middleware, the proxy behind it, our own addresses and the operator's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
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
from seckill_sidecar.plugs.hand_over import HandOver, Tickets, UnservedResource
from seckill_sidecar.plugs.middleware import Application, Middleware
from seckill_sidecar.plugs.operator import Doors, Guard, Orders, Status, operator_application
from seckill_sidecar.plugs.operator import Metrics as OperatorMetrics
from seckill_sidecar.plugs.order_page import ErrorPages, show_order
from seckill_sidecar.plugs.own import OrderResource, own_application
from seckill_sidecar.plugs.probe import Probe
from seckill_sidecar.plugs.script import ScriptResource
from seckill_sidecar.wiring.gate import Gate


class Plugs(Gate):
    """What stands around the gate of one site."""

    def middleware(self, application: Application) -> Middleware:
        """The gate around a WSGI application."""
        prefix = self.settings.serve.prefix
        own = own_application(
            prefix,
            self._order_resource(),
            self._unserved_resource(),
            ScriptResource(),
            ErrorPages(f"{prefix}orders/", self.pages),
        )
        # Handed over, the request is nginx's: how long the shop takes isn't seen here.
        seen = self.settings.serve.hand_over == "proxy"
        return Middleware(
            application,
            self.gate,
            own,
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

    def _order_resource(self) -> OrderResource:
        return OrderResource(
            self.look_up,
            self._identifier,
            self.settings.identity.buyer,
            self.keyring,
            self.clock,
            self.settings.timeouts.request,
            partial(show_order, self.pages),
        )

    def _unserved_resource(self) -> UnservedResource | None:
        if self.settings.serve.hand_over != "x-accel":
            return None
        return UnservedResource(self._tickets, self.look_up, self.gate, self.settings.timeouts.request)

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
