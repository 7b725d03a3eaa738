"""Which requests are purchases: the routes of the configuration, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import Mode, Stance, Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.patterns import Matcher
from seckill_sidecar.wire.request import Request

_ENFORCED = Stance(Mode.ENFORCE)


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
        self, routes: Sequence[Route], body_limit: int, stance_of: Callable[[Route], Stance] = lambda _: _ENFORCED
    ) -> None:
        """``stance_of`` tells how a route is treated at this moment."""
        self._routes = tuple((route, Matcher(route, body_limit)) for route in routes)
        self._stance_of = stance_of

    def match(self, request: Request) -> Match | None:
        """The first route that this request is for, or might be taken to be for; None if it is no purchase.

        Of a route that is off, only what needs no look into the body, and what nothing else takes for its own.
        """
        off: Match | None = None
        for route, matcher in self._routes:
            is_off = self._stance_of(route).is_off
            if is_off and (route.form or off is not None):
                continue
            try:
                values = matcher.match(request)
            except Malformed as error:
                if self._stance_of(route).is_whole:
                    return Match(route, {}, error)
                continue  # it will be found doubtful
            if values is not None and not is_off:
                return Match(route, values)
            if values is not None:
                off = Match(route, values)
        return self._doubtful(request) or off

    def _doubtful(self, request: Request) -> Match | None:
        """What it might be taken for: first of all for a purchase of a route that nobody may buy past."""
        first: Match | None = None
        for route, matcher in self._routes:
            if fault := self._doubt(request, route, matcher):
                found = Match(route, {}, fault)
                if self._stance_of(route).is_whole:
                    return found
                first = first or found
        return first

    def _doubt(self, request: Request, route: Route, matcher: Matcher) -> Refusal | Malformed | None:
        """Why a request that isn't spelled as a route's can't be taken for anything else either."""
        if self._stance_of(route).is_off:
            return None
        try:
            if not matcher.might_match(request):
                return None
        except Malformed as error:
            return error
        spelling = f"{' or '.join(route.methods)} {route.path}"
        return Refusal(Verdict.INVALID, f"this request is ambiguous; to buy, it has to be {spelling}")
