"""``GET {prefix}challenges/{route}``: a new challenge of a route, as JSON; and the script that puts it to a browser."""

from __future__ import annotations

from collections.abc import Sequence

import falcon

from seckill_sidecar.gate.challenge import Challenger
from seckill_sidecar.gate.reply import VERDICTS
from seckill_sidecar.model import SKU
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request


class ChallengeResource:
    """A challenge for whoever is about to buy by a route; ``?item=`` binds it to an item."""

    def __init__(self, challenger: Challenger, routes: Sequence[Route]) -> None:
        self._challenger = challenger
        self._routes = {route.name: route for route in routes if route.challenge is not None}

    def on_get(self, req: falcon.Request, resp: falcon.Response, route: str) -> None:
        resp.cache_control = ["no-store"]
        found = self._routes.get(route)
        if found is None:
            raise falcon.HTTPNotFound(title="No such challenge", description="no route of this name has one")
        item = req.get_param("item") or ""
        if item and SKU.fullmatch(item) is None:
            raise falcon.HTTPBadRequest(title="No such item", description="the item's SKU is malformed")
        try:
            resp.media = dict(self._challenger.give(Request(req.env), found, item))
        except Refusal as refusal:
            raise _problem(refusal) from refusal


def _problem(refusal: Refusal) -> falcon.HTTPError:
    status, title = VERDICTS[refusal.verdict]
    headers = {} if refusal.retry_after is None else {"Retry-After": str(max(1, round(refusal.retry_after)))}
    return falcon.HTTPError(refusal.status or status, title=title, description=refusal.detail, headers=headers)
