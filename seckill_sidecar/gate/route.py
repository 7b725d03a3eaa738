"""Which requests are purchases: the routes of the configuration, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seckill_sidecar.model import Verdict
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire import paths
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import FORM, MULTIPART, Request


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

        Raises ``Refusal`` (400) if the path is no purchase address as spelled, but a generous storefront
        might take it for one.
        """
        path = request.path
        loose: str | None = None
        for route, template in self._routes:
            if request.method not in route.methods or (route.host and request.host != route.host.lower()):
                continue
            values = template.match(path) if path is not None else None
            if values is not None:
                if self._fields_match(route, request):
                    return Match(route, values)
                continue
            loose = loose or paths.loosen(request.raw_path)
            if template.might_be(loose) and self._fields_match(route, request):
                raise Refusal(Verdict.INVALID, f"this address is ambiguous; the purchase address is {route.path}")
        return None

    def _fields_match(self, route: Route, request: Request) -> bool:
        if route.query and not _all_match(route.query, request.query, "query"):
            return False
        if not route.form:
            return True
        if request.content_type not in (FORM, MULTIPART):
            return False
        return _all_match(route.form, request.form(self._body_limit), "form")


def _all_match(wanted: Mapping[str, str], fields: Mapping[str, list[str]], where: str) -> bool:
    for name, value in wanted.items():
        found = fields.get(name, [])
        if value not in found:
            return False
        if len(found) > 1:
            # Some platforms take the first, some the last: one of them would sell past the gate.
            raise Refusal(Verdict.INVALID, f"{where} field {name} was sent more than once")
    return True
