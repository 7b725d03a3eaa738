"""The addresses of our own, a Falcon application.

``GET {prefix}orders/{id}``, ``GET {prefix}seckill.js``, and what nginx asks by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import falcon

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.identify import Identifier
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.reply import order_members
from seckill_sidecar.model import Order
from seckill_sidecar.settings.schema import BuyerSource
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.problem import write_problem
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import InvalidToken, Keyring

Show = Callable[[falcon.Request, falcon.Response, Order], bool]
"""Shows an order to a browser; False if the client is none."""


class OrderResource:
    """One order, shown to its buyer only: by the order's own token, or by who is asking."""

    def __init__(
        self,
        look_up: LookUp,
        identifier: Identifier,
        buyer: BuyerSource | None,
        keyring: Keyring,
        clock: Clock,
        seconds: float,
        show: Show,
    ) -> None:
        """``seconds`` bounds one look-up."""
        self._look_up = look_up
        self._identifier = identifier
        self._buyer = buyer
        self._keyring = keyring
        self._clock = clock
        self._seconds = seconds
        self._show = show

    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        resp.cache_control = ["no-store"]
        token = req.get_param("token") or ""
        buyer = self._bearer(token, order_id) if token else self._identified(req)
        order = self._find(order_id, final=bool(token))
        if order is None or order.buyer != buyer:
            # The same words for a foreign order as for none: ids tell nobody anything.
            raise falcon.HTTPNotFound(title="No such order", description=_never(bool(token)))
        if not self._show(req, resp, order):
            resp.media = order_members(order)

    on_head = on_get  # the server leaves the body away

    def _bearer(self, token: str, order_id: str) -> str:
        try:
            return self._keyring.bearer_of(token, order_id, self._clock.wall())
        except (InvalidToken, UnicodeDecodeError) as error:
            raise falcon.HTTPForbidden(
                title="Not your order", description="this token does not fit this order"
            ) from error

    def _identified(self, req: falcon.Request) -> str:
        try:
            return self._identifier.buyer(Request(req.env), self._buyer)
        except Refusal as refusal:
            raise falcon.HTTPUnauthorized(title="Sign in", description=refusal.detail) from refusal

    def _find(self, order_id: str, final: bool) -> Order | None:
        try:
            return self._look_up.find(order_id, self._seconds, final)
        except StoreError as error:
            raise falcon.HTTPServiceUnavailable(
                title="Not known at this moment", description="ask again in a moment; nothing is lost", retry_after=2
            ) from error


def _never(final: bool) -> str:
    return "this purchase did not go through, and will not" if final else "there is no such order of yours"


def own_application(
    prefix: str,
    orders: OrderResource,
    unserved: object | None = None,
    script: object | None = None,
    errors: Callable[[falcon.Request, falcon.Response, falcon.HTTPError], None] = write_problem,
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application that serves everything under ``prefix``; ``errors`` writes what it raises."""
    application = falcon.App()
    application.add_route(f"{prefix}orders/{{order_id}}", orders)
    if unserved is not None:
        application.add_route(f"{prefix}unserved/{{ticket}}/{{how}}", unserved)
    if script is not None:
        application.add_route(f"{prefix}seckill.js", script)
    application.set_error_serializer(errors)
    return application
