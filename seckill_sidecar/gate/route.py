"""Which requests are purchases: the routes of the configuration, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire import fields, paths
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import FORM, MULTIPART
from seckill_sidecar.wire.request import Request


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its path template found."""

    route: Route
    path_values: Mapping[str, str]


class Routes:
    """The ordered list of routes, compiled once."""

    def __init__(self, routes: Sequence[Route], body_limit: int) -> None:
        self._body_limit = body_limit
        self._routes = tuple((route, paths.Template(route.path)) for route in routes)

    def match(self, request: Request) -> Match | None:
        """The first route that this request is for, or None: it is no purchase.

        Raises ``Refusal`` (400) if it is no purchase as spelled, but a generous storefront might take it for one.
        """
        candidates = [entry for entry in self._routes if _might_serve(entry[0], request)]
        for route, template in candidates:
            values = template.match(request.path) if request.path is not None else None
            if values is not None and request.method in route.methods and self._fields_match(route, request):
                return Match(route, values)
        for route, template in candidates:
            if template.might_be(request.readings) and self._fields_might_match(route, request):
                spelling = f"{' or '.join(route.methods)} {route.path}"
                raise Refusal(Verdict.INVALID, f"this request is ambiguous; to buy, it has to be {spelling}")
        return None

    def _fields_match(self, route: Route, request: Request) -> bool:
        if not self._fields_might_match(route, request):
            return False  # and whatever else is wrong with the fields is the storefront's business
        return all(request.query.get(name) == [value] for name, value in route.query.items()) and all(
            request.form(self._body_limit).get(name) == [value] for name, value in route.form.items()
        )

    def _fields_might_match(self, route: Route, request: Request) -> bool:
        if route.query and not fields.might_hold(request.raw_query, route.query):
            return False
        if not route.form:
            return True
        if request.content_type == MULTIPART:
            found = request.form(self._body_limit)
            return all(value in found.get(name, []) for name, value in route.form.items())
        return request.content_type == FORM and fields.might_hold(request.read_body(self._body_limit), route.form)


def _might_serve(route: Route, request: Request) -> bool:
    # Frameworks serve HEAD by the code that serves GET, so that it would buy past the gate.
    method = "GET" if request.method == "HEAD" else request.method
    return method in route.methods and (not route.host or route.host.lower() in request.hosts)
