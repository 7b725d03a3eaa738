"""``GET {prefix}orders/{id}``: how an order stands now, or (``?wait=20s``) as soon as more is known."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import falcon

from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.gate.results.hub import Full, Stopping
from seckill_sidecar.gate.results.result import NOTHING, Result
from seckill_sidecar.plugs.results.asking import Reception, no_such_order, not_known_now
from seckill_sidecar.plugs.results.following import Follower

_WAIT = re.compile(r"([0-9]{1,6})(ms|s)?", re.ASCII)


class OrderResource:
    """One order, shown to its buyer only."""

    def __init__(
        self, reception: Reception, follower: Follower, longest_wait: float, show: Callable[..., bool]
    ) -> None:
        """``longest_wait`` bounds what a client asks for, in seconds; ``show`` answers browsers (``show_result``)."""
        self._reception = reception
        self._follower = follower
        self._longest_wait = longest_wait
        self._show = show

    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        resp.cache_control = ["no-store"]
        asker = self._reception.asker(req, order_id)
        seconds = min(_wait(req.get_param("wait")), self._longest_wait)
        result = self._waited(asker, seconds) if seconds else self._now(asker)
        if result.none:
            raise no_such_order(asker)
        if self._show(req, resp, result):
            return
        news = self._follower.news(asker, result)
        resp.media = news.members
        if not news.final:
            resp.retry_after = math.ceil(news.members["poll_after_ms"] / 1000)

    on_head = on_get  # the server leaves the body away

    def _now(self, asker: Asker) -> Result:
        try:
            return self._follower.desk.now(asker, final=True)
        except StoreError as error:
            raise not_known_now() from error

    def _waited(self, asker: Asker, seconds: float) -> Result:
        """The first news after what is known already, or what is known when the time is over."""
        follower, result = self._follower, NOTHING
        try:
            with follower.hub.join(asker.order_id) as waiter:
                result = follower.next_news(asker, waiter, follower.first(asker), seconds)
        except (Full, Stopping):
            pass  # it is told when to ask again
        return self._now(asker) if result.order is None else result


def _wait(text: str | None) -> float:
    """Seconds; raises 400."""
    if not text:
        return 0.0
    written = _WAIT.fullmatch(text)
    if written is None:
        raise falcon.HTTPBadRequest(title="How long?", description="wait is a number of seconds, such as 20s")
    return int(written[1]) / (1000 if written[2] == "ms" else 1)
