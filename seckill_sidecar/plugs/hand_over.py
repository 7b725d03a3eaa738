"""Requests handed back to nginx, which asks the legacy site itself: answers, and most bodies, never cross Python.

nginx ─► gate ─► X-Accel-Redirect ─► nginx ─► storefront ─► client
                                               └ failed ─► unserved/{ticket}/{how} ─► gate: keep or release

``seckill-sidecar nginx`` writes the locations that are named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import falcon

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import OutcomeUnknown, StoreDown, StoreError
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.pipeline import Pipeline
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import InvalidToken, Keyring

Environ = Any
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_PURPOSE = "unserved"
_TICKET_SECONDS = 600.0


class Tickets:
    """Prove to the sidecar that it was nginx who says that a handed-over order found no storefront."""

    def __init__(self, prefix: str, keyring: Keyring, clock: Clock) -> None:
        """``prefix`` is where the site's own addresses live."""
        self._prefix = prefix
        self._keyring = keyring
        self._clock = clock

    def path_for(self, order_id: str) -> str:
        """Where nginx has to ask; ``/down`` or ``/unknown`` follows. Clients never see it."""
        return f"{self._prefix}unserved/{self._keyring.sign(_PURPOSE, order_id, self._clock.wall() + _TICKET_SECONDS)}"

    def order_of(self, ticket: str) -> str:
        """The order id; raises ``InvalidToken``."""
        return self._keyring.verify(_PURPOSE, ticket, self._clock.wall())


class HandOver:
    """In the place of the reverse proxy. A watched request still goes through it: its answer has to be seen."""

    def __init__(self, proxy: Application, tickets: Tickets) -> None:
        self._proxy = proxy
        self._tickets = tickets

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "seckill.watched" in environ:
            return self._proxy(environ, start_response)
        signed = environ.get("seckill.storefront_headers")
        if signed is None:
            fields = [("X-Accel-Redirect", "@seckill_storefront")]
        else:
            unserved = self._tickets.path_for(dict(signed)["X-Seckill-Order"])
            fields = [("X-Accel-Redirect", "@seckill_accepted"), ("X-Seckill-Unserved", unserved), *signed]
        start_response("200 OK", [*fields, ("Content-Length", "0")])
        return []


class UnservedResource:
    """An accepted purchase that nginx could not bring to the storefront: what its buyer is told."""

    def __init__(self, tickets: Tickets, look_up: LookUp, gate: Pipeline, seconds: float) -> None:
        """``seconds`` bounds the look-up."""
        self._tickets = tickets
        self._look_up = look_up
        self._gate = gate
        self._seconds = seconds

    def on_post(self, req: falcon.Request, resp: falcon.Response, ticket: str, how: str) -> None:
        try:
            order = self._look_up.find(self._tickets.order_of(ticket), self._seconds, final=False)
        except (InvalidToken, UnicodeDecodeError) as error:
            raise falcon.HTTPForbidden(title="Not for you", description="only nginx knows this address") from error
        except StoreError as error:
            raise falcon.HTTPServiceUnavailable(
                title="Not known at this moment", description="the order is in; look at your orders", retry_after=2
            ) from error
        if order is None:
            raise falcon.HTTPNotFound
        failure = StoreDown if how == "down" else OutcomeUnknown
        answer = self._gate.storefront_failed(Request(req.env), order, failure("storefront", f"nginx says: {how}"))
        resp.status = falcon.code_to_http_status(answer.status)
        resp.data = answer.body
        for name, value in answer.headers:
            resp.append_header(name, value)

    on_get = on_put = on_patch = on_delete = on_post  # whatever the purchase was
