"""Our own answer when the storefront gave none: problem JSON, or a small page for a browser."""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from typing import Any

from seckill_sidecar.errors import BreakerOpen, DeadlinePassed, SeckillError, StoreError, TooBusy

Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status line, header fields, body."""

_PAGE = '<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><p>{detail}</p>\n'

_DETAIL = {
    HTTPStatus.BAD_GATEWAY: "The site behind this address gave no usable answer.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The site is too busy at this moment. Please try again shortly.",
    HTTPStatus.GATEWAY_TIMEOUT: "The site behind this address took too long to answer.",
}
"""What a client may know; what the operator needs (addresses, errors of the system) goes to the log."""


class Unpassable(SeckillError):
    """The request itself can't be passed on (its body broke off, HTTP that isn't); no failure of the storefront."""

    def __init__(self, status: HTTPStatus, what: str) -> None:
        self.status = status
        super().__init__(what)


def answer_to(error: StoreError | Unpassable, environ: dict[str, Any]) -> Answer:
    """What the client gets for ``error``: 502, 503 or 504, or 400 and the like if the request is at fault."""
    status = _status(error)
    detail = _DETAIL.get(status) or str(error)
    fields = [("Cache-Control", "no-store")]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        fields.append(("Retry-After", str(max(1, round(getattr(error, "retry_after", 1))))))
    if _prefers_html(environ.get("HTTP_ACCEPT", "")):
        content_type, text = "text/html; charset=utf-8", _PAGE.format(title=status.phrase, detail=escape(detail))
    else:
        content_type = "application/problem+json"
        text = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "detail": detail})
    body = text.encode()
    fields += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return f"{status.value} {status.phrase}", fields, body if environ["REQUEST_METHOD"] != "HEAD" else b""


def _status(error: StoreError | Unpassable) -> HTTPStatus:
    if isinstance(error, Unpassable):
        return error.status
    if isinstance(error, BreakerOpen | DeadlinePassed | TooBusy):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.GATEWAY_TIMEOUT if isinstance(error.__cause__, TimeoutError) else HTTPStatus.BAD_GATEWAY


def _prefers_html(accept: str) -> bool:
    return "text/html" in accept.lower() and "json" not in accept.lower()
