"""``POST {prefix}admissions/{sku}``: admission to an item's sale, as JSON, and as the cookie that a form needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import falcon

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import SeckillError
from seckill_sidecar.gate.admit import Admitter, Granted
from seckill_sidecar.gate.origin import FOREIGN
from seckill_sidecar.gate.pipeline import Decided, Observer
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.model import Verdict
from seckill_sidecar.wire.admissions import SECOND
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request

ROUTE = "admissions"
"""The route's name in the facts that observers are told."""


class AdmissionResource:
    """One item's admissions. Who is refused hears the same verdicts as in a purchase, in the same form."""

    def __init__(
        self,
        admitter: Admitter,
        reply: Reply,
        address_of: Callable[[Request], str],
        clock: Clock,
        observers: Sequence[Observer] = (),
        addressed: Collection[Verdict] = (),
    ) -> None:
        """``observers`` are told of refusals; those with a verdict of ``addressed`` name the client's address."""
        self._admitter = admitter
        self._reply = reply
        self._address_of = address_of
        self._clock = clock
        self._observers = tuple(observers)
        self._addressed = addressed

    def on_post(self, req: falcon.Request, resp: falcon.Response, sku: str) -> None:
        request = Request(req.env)
        began = self._clock.monotonic()
        try:
            granted = self._admitter.grant(request, sku)
        except Malformed as error:
            self._refuse(request, resp, Refusal(Verdict.INVALID, error.detail, status=error.status), began)
        except Refusal as refusal:
            self._refuse(request, resp, refusal, began)
        else:
            self._give(request, resp, granted)

    def _give(self, request: Request, resp: falcon.Response, granted: Granted) -> None:
        until = granted.admission.until_ms // SECOND
        media = {"item": granted.admission.item, "token": granted.token, "expires_at": _iso(until)}
        resp.media = media if granted.buy is None else media | {"buy": granted.buy}
        resp.cache_control = ["no-store"]
        lifetime = max(0, int(until - self._clock.wall()))
        for name in granted.cookies:
            secure = "; Secure" if _is_encrypted(request) else ""
            field = f"{name}={granted.token}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Lax{secure}"
            resp.append_header("Set-Cookie", field)

    def _refuse(self, request: Request, resp: falcon.Response, refusal: Refusal, began: float) -> None:
        answer = self._reply.refused(request, refusal)
        resp.status = HTTPStatus(answer.status)
        resp.data = answer.body
        for name, value in answer.headers:
            resp.append_header(name, value)
        # Of what another site's page sent, the browser's owner is the victim.
        named = refusal.verdict in self._addressed and refusal.reason != FOREIGN
        fact = Decided(
            route=ROUTE,
            verdict=refusal.verdict,
            seconds=self._clock.monotonic() - began,
            reason=refusal.reason,
            address=self._address(request) if named else "",
        )
        for observer in self._observers:
            observer(fact)

    def _address(self, request: Request) -> str:
        try:
            return self._address_of(request)
        except SeckillError:
            return ""


def _is_encrypted(request: Request) -> bool:
    """Whether the client came by TLS, as far as the server or nginx tells; only its own cookie hangs on it."""
    scheme = request.environ.get("HTTP_X_FORWARDED_PROTO") or request.environ.get("wsgi.url_scheme")
    return scheme == "https"


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
