"""Which requests are purchases: the routes of the configuration, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.patterns import Matcher
from seckill_sidecar.wire.request import Request


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its path template found."""

    route: Route
    path_values: Mapping[str, str]


class Routes:
    """The ordered list of routes, compiled once."""

    def __init__(self, routes: Sequence[Route], body_limit: int) -> None:
        self._routes = tuple((route, Matcher(route, body_limit)) for route in routes)

    def match(self, request: Request) -> Match | None:
        """The first route that this request is for, or None: it is no purchase.

        Raises ``Refusal`` (400) if it is no purchase as spelled, but a generous storefront might take it for one.
        """
        candidates = [entry for entry in self._routes if entry[1].may_serve(request)]
        for route, matcher in candidates:
            values = matcher.match(request)
            if values is not None:
                return Match(route, values)
        for route, matcher in candidates:
            if matcher.might_match(request):
                spelling = f"{' or '.join(route.methods)} {route.path}"
                raise Refusal(Verdict.INVALID, f"this request is ambiguous; to buy, it has to be {spelling}")
        return None
