"""The operator's API: orders settled and shown to other programs of the site, at an address of its own.

POST /orders/{id}/paid | /orders/{id}/cancelled   {"reason": "..."} if wanted
GET  /orders/{id}
GET  /metrics                                      for Prometheus
GET  /status                                       how everything stands
GET  /readyz                                       whether the stores answer (503 if not); open to all who reach it
GET  /healthz                                      this process answers; open to all who reach it
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Literal

import falcon

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.reply import order_members
from seckill_sidecar.gate.settle import Settler, Wish
from seckill_sidecar.model import ORDER_ID, Order, Settled, Settlement, State
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.problem import Problem, write_problem
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import InvalidToken, Keyring

Application = Callable[[Any, Any], Iterable[bytes]]

_MOST_BODY = 4096
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{0,200}")
_BY_DEFAULT = "operator"


class Guard:
    """Lets in who has the token, or signs with a key of the site."""

    def __init__(self, token: str, keyring: Keyring, clock: Clock) -> None:
        self._token = _digest(token)
        self._keyring = keyring
        self._clock = clock

    def admit(self, request: Request, body: bytes) -> None:
        """Return if this request may do what it asks for; raises 401, 403."""
        given = request.environ.get("HTTP_AUTHORIZATION")
        if given is not None:
            scheme, _, token = given.partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(token.strip()), self._token):
                raise falcon.HTTPForbidden(title="Not allowed", description="this is not the operator's token")
        elif "HTTP_X_SECKILL_SIGNATURE" in request.environ:
            self._verify(request, body)
        else:
            raise falcon.HTTPUnauthorized(
                title="Who is asking?", description="send the operator's token, or sign", challenges=["Bearer"]
            )

    def _verify(self, request: Request, body: bytes) -> None:
        key, time, signature = (
            request.environ.get(f"HTTP_X_SECKILL_{part}", "") for part in ("KEY", "TIME", "SIGNATURE")
        )
        try:
            self._keyring.verify_request(
                request.method, request.raw_path, body, key, time, signature, self._clock.wall()
            )
        except InvalidToken as error:
            raise falcon.HTTPForbidden(title="Not allowed", description=str(error)) from error


class Orders:
    """Orders, for who is let in."""

    def __init__(self, guard: Guard, settler: Settler, look_up: LookUp, seconds: float) -> None:
        """``seconds`` bounds the settling or showing of one order."""
        self._guard = guard
        self._settler = settler
        self._look_up = look_up
        self._seconds = seconds

    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        self._admitted(req, order_id)
        resp.cache_control = ["no-store"]
        resp.media = _shown(self._known(order_id))

    def on_post_paid(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        self._settle(req, resp, order_id, State.PAID)

    def on_post_cancelled(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        self._settle(req, resp, order_id, State.CANCELLED)

    def _settle(self, req: falcon.Request, resp: falcon.Response, order_id: str, state: State) -> None:
        reason = _reason(self._admitted(req, order_id))
        try:
            settled = self._settler.settle(Wish(order_id, state, reason), self._seconds)
        except StoreError as error:
            raise _not_known_now() from error
        order = settled.order or self._known(order_id)
        if settled.outcome not in (Settlement.SETTLED, Settlement.ALREADY):
            raise _refused(settled, order)
        resp.media = {"outcome": settled.outcome.value, **_shown(order)}

    def _admitted(self, req: falcon.Request, order_id: str) -> Request:
        """The request, if it may be made: who asks comes before what is asked."""
        request = Request(req.env)
        try:
            body = request.read_body(_MOST_BODY)
        except Malformed as error:
            raise _bad(error) from error
        self._guard.admit(request, body)
        if ORDER_ID.fullmatch(order_id) is None:
            raise falcon.HTTPUnprocessableEntity(title="No order id", description="it has to be <sku>~<26 characters>")
        return request

    def _known(self, order_id: str) -> Order:
        try:
            order = self._look_up.find(order_id, self._seconds, final=False)
        except StoreError as error:
            raise _not_known_now() from error
        if order is None:
            raise falcon.HTTPNotFound(title="No such order", description="neither ledger nor database has it")
        return order


class Metrics:
    """What the host's processes have counted, for who is let in."""

    def __init__(self, guard: Guard, text: Callable[[], bytes] | None) -> None:
        """``text`` is what Prometheus reads; None if nothing is counted."""
        self._guard = guard
        self._text = text

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._guard.admit(Request(req.env), b"")
        if self._text is None:
            raise falcon.HTTPNotFound(title="No metrics", description="set metrics.folder, and they are counted")
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.data = self._text()


class Status:
    """How everything stands: whether the stores answer for everybody, the rest for who is let in."""

    def __init__(
        self, guard: Guard, ready: Callable[[], dict[str, bool]], status: Callable[[], dict[str, Any]]
    ) -> None:
        """``ready`` tells of each store whether it answers, ``status`` tells everything."""
        self._guard = guard
        self._ready = ready
        self._status = status

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._guard.admit(Request(req.env), b"")
        resp.cache_control = ["no-store"]
        resp.media = self._status()

    def on_get_ready(self, _: falcon.Request, resp: falcon.Response) -> None:
        stores = self._ready()
        ready = all(stores.values())
        resp.media = {"ready": ready, "stores": {name: "ok" if up else "down" for name, up in stores.items()}}
        if not ready:
            resp.status, resp.retry_after = falcon.HTTP_503, 2


class Health:
    """Whether this process answers. It says nothing of the stores."""

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        resp.media = {"status": "ok"}


def operator_application(
    orders: Orders, metrics: Metrics, status: Status
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application behind the operator's door; its errors are problem JSON (RFC 9457)."""
    application = falcon.App()
    application.add_route("/orders/{order_id}", orders)
    for state in ("paid", "cancelled"):
        application.add_route(f"/orders/{{order_id}}/{state}", orders, suffix=state)
    application.add_route("/metrics", metrics)
    application.add_route("/status", status)
    application.add_route("/readyz", status, suffix="ready")
    application.add_route("/healthz", Health())
    application.set_error_serializer(write_problem)
    return application


class Doors:
    """Two applications behind two doors: the operator's own, and everybody's.

    By the socket that a connection was accepted on, never by what a client sends.
    """

    def __init__(self, public: Application, operator: Application, listen: str) -> None:
        """``listen`` is where gunicorn opens the operator's door: ``address:port`` or ``unix:/path``."""
        self._public = public
        self._operator = operator
        self._door: int | str = listen[5:] if listen.startswith("unix:") else int(listen.rpartition(":")[2])

    def __call__(self, environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        came_in = _door_of(environ.get("gunicorn.socket"))
        return (self._operator if came_in == self._door else self._public)(environ, start_response)


def _door_of(socket: Any) -> int | str | None:
    """The port or path of the listener: the settings see to it that no two share one."""
    try:
        name = socket.getsockname()
    except (AttributeError, OSError):
        return None
    if isinstance(name, tuple):
        return int(name[1])
    return name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)


def _digest(token: str) -> bytes:
    # Of one length, so that comparing them takes one time.
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _reason(request: Request) -> str:
    """The reason in the body, if there is one; raises 400, 415."""
    if not request.read_body(_MOST_BODY):
        return _BY_DEFAULT
    try:
        members = request.json(_MOST_BODY)
    except Malformed as error:
        raise _bad(error) from error
    reason = members.get("reason", _BY_DEFAULT) if isinstance(members, dict) and members.keys() <= {"reason"} else None
    if not isinstance(reason, str) or _REASON.fullmatch(reason) is None:
        description = 'the body may be {"reason": "…"}: 200 characters at most, on one line'
        raise falcon.HTTPBadRequest(title="Bad body", description=description)
    return reason


def _shown(order: Order) -> dict[str, Any]:
    return {**order_members(order), "buyer": order.buyer}


def _refused(settled: Settled, order: Order) -> Problem:
    """409 with the state that stands."""
    outcome: Literal["late", "refused"] = "refused"
    title, detail = "It stands otherwise", f"the order is {order.state.value}, and that stays"
    if settled.outcome is Settlement.LATE:
        outcome, title = "late", "Paid too late"
        detail = f"the order was {order.state.value} before; this is kept as a case to be seen to: give the money back"
    if settled.outcome is Settlement.UNKNOWN_ORDER:
        title, detail = "Not in the ledger", f"the database has it from an earlier sale, as {order.state.value}"
    return Problem(409, title, detail, {"outcome": outcome, **_shown(order)})


def _bad(error: Malformed) -> falcon.HTTPError:
    return falcon.HTTPError(error.status, title="Bad body", description=error.detail)


def _not_known_now() -> falcon.HTTPServiceUnavailable:
    return falcon.HTTPServiceUnavailable(
        title="Not known at this moment", description="ask again in a moment: twice does no harm", retry_after=2
    )
