"""The legacy site over HTTP: a reverse proxy that nobody notices.

    client ──► WSGI server ──► ReverseProxy ──► Pool ──► Wire ──► storefront
              (gunicorn)      target, fields    turns    h11

What the client sent arrives as it was sent, and what the storefront answers goes back the same:
method, target, duplicate fields, streamed bodies, errors. Dropped both ways are hop-by-hop fields
(so there is no ``Upgrade``: route WebSockets past the sidecar) and trailers, which WSGI has no place for.
Nothing is decoded, redirected or retried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import h11

from seckill_sidecar.adapters.storefront.address import Address
from seckill_sidecar.adapters.storefront.headers import Headers, end_to_end, overridden, raw_headers, without
from seckill_sidecar.adapters.storefront.pool import Pool
from seckill_sidecar.adapters.storefront.problem import Unpassable, answer_to
from seckill_sidecar.adapters.storefront.target import target_of
from seckill_sidecar.adapters.storefront.wire import BLOCK, Wire
from seckill_sidecar.clock import Clock, SystemClock
from seckill_sidecar.errors import StoreDown, StoreError
from seckill_sidecar.settings.schema import StorefrontSettings, Timeouts

__all__ = ["Body", "ReverseProxy", "Unpassable", "UpstreamResponse", "answer_to", "raw_headers"]

Environ = dict[str, Any]

_FROM_THE_GATE = "seckill.storefront_headers"

_log = logging.getLogger(__name__)


class Body(Protocol):
    """A body on its way: pieces as they arrive. Close it, read to its end or not."""

    def __iter__(self) -> Iterator[bytes]:
        """Itself."""

    def __next__(self) -> bytes:
        """The next piece, sometimes empty; raises ``OutcomeUnknown`` if the body breaks off."""

    def close(self) -> None:
        """Give the connection back; the storefront's is closed unless the body was read to its end."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """The storefront's answer: its head, and a body still to be read."""

    status: int
    reason: str
    headers: Headers
    body: Body


class ReverseProxy:
    """Passes requests on to the storefront; a WSGI application.

    The environ may hold ``seckill.storefront_headers``, a list of (name, value) that replace all request
    header fields of the same names. A client's ``X-Seckill-…`` fields never get through.

    On plain pass-through, failures become answers (502, 503, 504). With ``seckill.storefront_headers`` an order
    stands behind the request, so they are raised: the gate knows what to tell its buyer.
    """

    def __init__(self, url: str, settings: StorefrontSettings, timeouts: Timeouts, clock: Clock | None = None) -> None:
        self._address = Address.parse(url)
        self._timeouts = timeouts
        self._pool = Pool(self._dial, settings.connections, settings.idle, timeouts.connect, clock or SystemClock())

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        try:
            answer = self.forward(environ)
        except (StoreError, Unpassable) as error:
            if _FROM_THE_GATE in environ:
                raise
            _log.warning("%s %s: %s", environ["REQUEST_METHOD"][:20], environ.get("PATH_INFO", "")[:200], error)
            status, fields, body = answer_to(error, environ)
            start_response(status, fields)
            return [body] if body else []
        try:
            start_response(f"{answer.status} {answer.reason}", answer.headers)
        except BaseException:
            answer.body.close()
            raise
        return answer.body

    def forward(self, environ: Environ) -> UpstreamResponse:
        """Pass one request on and wait for the head of the answer.

        Raises ``TooBusy`` (no connection was free), ``StoreDown`` (nothing was sent), ``OutcomeUnknown`` (sent,
        but no answer came) or ``Unpassable`` (the client's fault).
        """
        request = self._request(environ)
        wire = self._pool.take()
        try:
            wire.send(request, _body_of(environ), _hint_to(environ))
            head = wire.head()
        except h11.LocalProtocolError as error:  # more or less body than was announced
            self._pool.give_back(wire)
            raise Unpassable(HTTPStatus.BAD_REQUEST, f"body and Content-Length differ: {error}") from error
        except BaseException:
            self._pool.give_back(wire)
            raise
        return UpstreamResponse(
            head.status_code, head.reason.decode("latin-1"), _answered(head), _Body(wire, self._pool)
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _dial(self) -> Wire:
        try:
            connection = self._address.connect(self._timeouts.connect)
        except OSError as error:
            raise StoreDown("storefront", f"can't connect to {self._address.place}: {error}") from error
        return Wire(connection, self._timeouts.storefront)

    def _request(self, environ: Environ) -> h11.Request:
        method = environ["REQUEST_METHOD"]
        if method == "CONNECT":
            raise Unpassable(HTTPStatus.NOT_IMPLEMENTED, "CONNECT makes a tunnel, which this proxy doesn't")
        sent = without(end_to_end(raw_headers(environ)), "content-length")
        fields = overridden(sent, environ.get(_FROM_THE_GATE, ())) + _framing(environ)
        if not any(name.lower() == "host" for name, _ in fields):
            fields.insert(0, ("Host", self._address.host))
        try:
            return h11.Request(
                method=method, target=target_of(environ, self._address.base), headers=_on_the_wire(fields)
            )
        except h11.LocalProtocolError as error:
            raise Unpassable(HTTPStatus.BAD_REQUEST, f"no HTTP: {error}") from error


class _Body:
    """The storefront's body. It ends its exchange as soon as it is read, broken or closed, whichever is first."""

    def __init__(self, wire: Wire, pool: Pool[Wire]) -> None:
        self._pieces = wire.pieces()
        self._wire: Wire | None = wire
        self._pool = pool

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._wire is not None:
            wire, self._wire = self._wire, None
            self._pool.give_back(wire)


def _framing(environ: Environ) -> Headers:
    """How the body is delimited. From the environ, not from what was sent: the gate may have read and replaced it."""
    coding = environ.get("HTTP_TRANSFER_ENCODING", "")
    if coding:
        if coding.strip().lower() != "chunked":
            raise Unpassable(HTTPStatus.NOT_IMPLEMENTED, f"transfer coding {coding[:100]!r} isn't supported")
        return [("Transfer-Encoding", "chunked")]
    length = environ.get("CONTENT_LENGTH", "")
    return [("Content-Length", length)] if length else []


def _body_of(environ: Environ) -> Iterator[bytes]:
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        while piece := stream.read(BLOCK):
            yield piece
        return
    rest = int(length or 0)
    while rest > 0:
        piece = stream.read(min(rest, BLOCK))
        if not piece:
            return  # the client hung up: too little body, which h11 notices
        rest -= len(piece)
        yield piece


def _hint_to(environ: Environ) -> Callable[[h11.InformationalResponse], None]:
    """What passes 103 (Early Hints) on, where the server can; other interim answers are between storefront and us."""
    send_hints = environ.get("wsgi.early_hints")

    def hint(interim: h11.InformationalResponse) -> None:
        if interim.status_code == 103 and send_hints is not None:
            send_hints(end_to_end(_as_text(interim)))

    return hint


def _answered(head: h11.Response) -> Headers:
    fields = _as_text(head)
    if any(name.lower() == "transfer-encoding" for name, _ in fields):  # it overrides a Content-Length beside it
        fields = without(fields, "content-length")
    return end_to_end(fields)


def _as_text(head: h11.Response | h11.InformationalResponse) -> Headers:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()]


def _on_the_wire(fields: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in fields]
