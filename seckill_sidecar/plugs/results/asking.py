"""Who asks for an order, found out from the request: by the order's own token or receipt, or by who is asking."""

from __future__ import annotations

from collections.abc import Callable

import falcon

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.model import Verdict
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import InvalidToken, Keyring


class Reception:
    """Lets in who may ask."""

    def __init__(self, buyer: Callable[[Request], str], keyring: Keyring, clock: Clock) -> None:
        """``buyer`` says who makes a request; raises ``Refusal``."""
        self._buyer = buyer
        self._keyring = keyring
        self._clock = clock

    def asker(self, req: falcon.Request, order_id: str) -> Asker:
        """Who asks for this order; raises 401, 403, 503."""
        token = req.get_param("token") or req.get_param("receipt") or ""
        if not token:
            return Asker(order_id, self._identified(req), bearer=False)
        try:
            bearer = self._keyring.read_order_token(token, order_id, self._clock.wall())
        except (InvalidToken, UnicodeDecodeError) as error:
            raise falcon.HTTPForbidden(
                title="Not your order", description="this token does not fit this order"
            ) from error
        return Asker(order_id, bearer.buyer, bearer=True, receipt=bearer.receipt)

    def _identified(self, req: falcon.Request) -> str:
        try:
            return self._buyer(Request(req.env))
        except Refusal as refusal:
            if refusal.verdict is Verdict.UNAVAILABLE:
                raise not_known_now() from refusal
            raise falcon.HTTPUnauthorized(title="Sign in", description=refusal.detail) from refusal


def no_such_order(asker: Asker) -> falcon.HTTPNotFound:
    """The same words for a foreign order as for none: ids tell nobody anything."""
    words = "this purchase did not go through, and will not" if asker.bearer else "there is no such order of yours"
    return falcon.HTTPNotFound(title="No such order", description=words)


def not_known_now() -> falcon.HTTPServiceUnavailable:
    """No store can tell."""
    return falcon.HTTPServiceUnavailable(
        title="Not known at this moment", description="ask again in a moment; nothing is lost", retry_after=2
    )
