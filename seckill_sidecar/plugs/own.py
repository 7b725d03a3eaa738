"""The addresses of our own, a Falcon application: orders to poll, admissions, and what nginx asks by itself."""

from __future__ import annotations

import falcon

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.identify import Identifier
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.reply import order_members
from seckill_sidecar.model import Order, Verdict
from seckill_sidecar.settings.schema import BuyerSource
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.problem import write_problem
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import InvalidToken, Keyring


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
    ) -> None:
        """``seconds`` bounds one look-up."""
        self._look_up = look_up
        self._identifier = identifier
        self._buyer = buyer
        self._keyring = keyring
        self._clock = clock
        self._seconds = seconds

    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        resp.cache_control = ["no-store"]
        token = req.get_param("token") or ""
        buyer = self._bearer(token, order_id) if token else self._identified(req)
        order = self._find(order_id, final=bool(token))
        if order is None or order.buyer != buyer:
            # The same words for a foreign order as for none: ids tell nobody anything.
            raise falcon.HTTPNotFound(title="No such order", description=_never(bool(token)))
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
            deadline = Deadline.after(self._seconds, self._clock)
            return self._identifier.buyer(Request(req.env), self._buyer, deadline)
        except Refusal as refusal:
            if refusal.verdict is Verdict.UNAVAILABLE:
                raise _not_known(2) from refusal
            raise falcon.HTTPUnauthorized(title="Sign in", description=refusal.detail) from refusal

    def _find(self, order_id: str, final: bool) -> Order | None:
        try:
            return self._look_up.find(order_id, self._seconds, final)
        except StoreError as error:
            raise _not_known(2) from error


def _not_known(seconds: int) -> falcon.HTTPServiceUnavailable:
    what = "ask again in a moment; nothing is lost"
    return falcon.HTTPServiceUnavailable(title="Not known at this moment", description=what, retry_after=seconds)


def _never(final: bool) -> str:
    return "this purchase did not go through, and will not" if final else "there is no such order of yours"


def own_application(
    prefix: str, orders: OrderResource, unserved: object | None = None, admissions: object | None = None
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application that serves everything under ``prefix``; its errors are problem JSON (RFC 9457)."""
    application = falcon.App()
    application.add_route(f"{prefix}orders/{{order_id}}", orders)
    if unserved is not None:
        application.add_route(f"{prefix}unserved/{{ticket}}/{{how}}", unserved)
    if admissions is not None:
        application.add_route(f"{prefix}admissions/{{sku}}", admissions)
    application.set_error_serializer(write_problem)
    return application
