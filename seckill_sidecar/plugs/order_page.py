"""What a browser is shown at an order's own address: how it stands, looked at again by itself while that may change."""

from __future__ import annotations

import falcon

from seckill_sidecar.gate.reply import language_of, order_page, prefers_page
from seckill_sidecar.gate.results.result import Result
from seckill_sidecar.model import Order, State
from seckill_sidecar.wire.pages import More, Pages
from seckill_sidecar.wire.problem import write_problem
from seckill_sidecar.wire.request import Request

_LOOKS_AGAIN = 10
_ASKS_AGAIN = 2
_ERRORS = {
    401: "unidentified",
    403: "not_yours",
    404: "no_order",
    503: "unknown",
}
_HTML = "text/html; charset=utf-8"


def show_result(pages: Pages, req: falcon.Request, resp: falcon.Response, result: Result) -> bool:
    """Show a browser how its order stands; False if the client is none."""
    request = Request(req.env)
    if not prefers_page(request):
        return False
    order = result.order
    more = More(refresh=None if result.final and not _is_held(order) else _LOOKS_AGAIN)
    resp.content_type = _HTML
    if order is None:
        resp.data = pages.page(language_of(pages, request), "unknown", more)
    else:
        resp.data = order_page(pages, request, order, order.state.value, more)
    return True


def _is_held(order: Order | None) -> bool:
    return order is not None and order.state is State.HELD


class ErrorPages:
    """A Falcon error serializer: a page for a browser, problem JSON for everybody else."""

    def __init__(self, orders: str, pages: Pages) -> None:
        """``orders`` is where the addresses of orders begin; all others are for programs."""
        self._orders = orders
        self._pages = pages

    def __call__(self, req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
        request = Request(req.env)
        status = falcon.http_status_to_code(error.status)
        if status not in _ERRORS or not req.path.startswith(self._orders) or not prefers_page(request):
            write_problem(req, resp, error)
            return
        # With an order's own token, "no such order" is final: the look-up has sealed its id.
        name = "failed" if status == 404 and (req.get_param("token") or req.get_param("receipt")) else _ERRORS[status]
        more = More(refresh=_ASKS_AGAIN if status == 503 else None)
        resp.content_type = _HTML
        resp.data = self._pages.page(language_of(self._pages, request), name, more)
