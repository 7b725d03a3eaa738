"""Which requests are purchases: the routes of the configuration, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.patterns import Matcher
from seckill_sidecar.wire.request import Request


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its path template found."""

    route: Route
    path_values: Mapping[str, str]
    fault: Refusal | Malformed | None = None
    """Why it can't be decided: it is no purchase of this route as spelled, but a generous storefront might take it
    for one; or its fields can't be read."""

    def refuse_if_faulty(self) -> None:
        """Raise the fault, if there is one."""
        if self.fault is not None:
            raise self.fault


class Routes:
    """The ordered list of routes, compiled once."""

    def __init__(
        self, routes: Sequence[Route], body_limit: int, is_off: Callable[[Route], bool] = lambda _: False
    ) -> None:
        """``is_off`` tells of a route whose requests need not be told apart from the site's others."""
        self._routes = tuple((route, Matcher(route, body_limit)) for route in routes)
        self._is_off = is_off

    def match(self, request: Request) -> Match | None:
        """The first route that this request is for, or might be taken to be for; None if it is no purchase.

        Of a route that is off, only what needs no look into the body.
        """
        candidates = [entry for entry in self._routes if entry[1].may_serve(request)]
        for route, matcher in candidates:
            if route.form and self._is_off(route):
                continue
            try:
                values = matcher.match(request)
            except Malformed as error:
                return Match(route, {}, error)
            if values is not None:
                return Match(route, values)
        for route, matcher in candidates:
            if not self._is_off(route) and (fault := _doubt(route, matcher, request)):
                return Match(route, {}, fault)
        return None


def _doubt(route: Route, matcher: Matcher, request: Request) -> Refusal | Malformed | None:
    """Why a request that isn't spelled as a route's can't be anything else either."""
    try:
        if not matcher.might_match(request):
            return None
    except Malformed as error:
        return error
    spelling = f"{' or '.join(route.methods)} {route.path}"
    return Refusal(Verdict.INVALID, f"this request is ambiguous; to buy, it has to be {spelling}")
