"""Which requests a pattern of the configuration means: methods, path template, host, query and form fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from seckill_sidecar.wire import fields, paths
from seckill_sidecar.wire.fields import FORM, Malformed
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.reroutes import METHOD_FIELD, methods_in_fields


class Pattern(Protocol):
    """What the configuration says of a kind of request."""

    @property
    def methods(self) -> Sequence[str]: ...
    @property
    def path(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def query(self) -> Mapping[str, str]: ...
    @property
    def form(self) -> Mapping[str, str]: ...


class Matcher:
    """One pattern, compiled."""

    def __init__(self, pattern: Pattern, body_limit: int) -> None:
        self._pattern = pattern
        self._body_limit = body_limit
        self._methods = frozenset(pattern.methods)
        # Frameworks serve HEAD by the code that serves GET, so that it would buy past the gate.
        self._served = self._methods | ({"HEAD"} if "GET" in self._methods else set())
        self._host = (pattern.host or "").lower()
        self._template = paths.Template(pattern.path)
        self._wanted = [*pattern.query.items(), *pattern.form.items()]

    def may_serve(self, request: Request) -> bool:
        """Whether method and host are the pattern's, as a storefront takes them."""
        return request.method in self._served and self._is_of_host(request)

    def match(self, request: Request) -> Mapping[str, str] | None:
        """What the path template found, or None if the request isn't spelled as the pattern has it.

        Raises ``Malformed`` if its fields can't be read, which is asked only of what they could matter to.
        """
        if request.method not in self._methods or not self.may_serve(request) or request.path is None:
            return None
        values = self._template.match(request.path)
        if values is None or self._is_rerouted(request):
            return None
        return values if self._fields_match(request) else None

    def might_match(self, request: Request) -> bool:
        """Whether a generous storefront could take a request for this pattern's, however it is spelled."""
        return (
            self._is_of_host(request)
            and self._template.might_be(request.readings)
            and self._might_serve(request)
            and self._fields_might_match(request)
        )

    def names_another_method(self, request: Request) -> bool:
        """Whether the form of this request, which matches, names another method than its own. May raise ``Malformed``.

        Frameworks look for one in the form of a POST.
        """
        if request.method != "POST" or not request.has_form or METHOD_FIELD in self._pattern.form:
            return False
        return any(method != "POST" for method in self._methods_in_form(request))

    def _is_of_host(self, request: Request) -> bool:
        return not self._host or self._host in request.hosts

    def _is_rerouted(self, request: Request) -> bool:
        """Whether it names another path, or another method where the pattern does not ask for that very field."""
        return request.is_rerouted and not (METHOD_FIELD in self._pattern.query and not request.names_by_header)

    def _might_serve(self, request: Request) -> bool:
        if request.method in self._served or not self._served.isdisjoint(request.other_methods):
            return True
        if request.method != "POST" or not request.has_form:
            return False  # frameworks look for the method in the form of a POST only
        return not self._served.isdisjoint(self._methods_in_form(request))

    def _methods_in_form(self, request: Request) -> Iterable[str]:
        if request.content_type == FORM:
            return methods_in_fields(request.read_body(self._body_limit))
        return [value.strip().upper() for value in request.form(self._body_limit).get(METHOD_FIELD, [])]

    def _fields_match(self, request: Request) -> bool:
        if not self._pattern.query and not self._pattern.form:
            return True
        if not self._fields_might_match(request):
            return False  # and whatever else is wrong with the fields is the storefront's business
        return all(request.query.get(name) == [value] for name, value in self._pattern.query.items()) and all(
            request.form(self._body_limit).get(name) == [value] for name, value in self._pattern.form.items()
        )

    def _fields_might_match(self, request: Request) -> bool:
        """Some sites look for a field in query and form alike (PHP's ``$_REQUEST``, a servlet's parameters)."""
        if not self._wanted:
            return True
        queries = request.raw_queries
        missing = [(name, value) for name, value in self._wanted if not _any_holds(queries, {name: value})]
        if not missing:
            return True
        if not request.has_form or request.method in ("GET", "HEAD"):
            return False
        try:
            return self._form_might_hold(request, missing)
        except Malformed:
            if self._pattern.form:
                raise
            return False  # too large for a purchase, and may be an upload of the shop's own

    def _form_might_hold(self, request: Request, wanted: Sequence[tuple[str, str]]) -> bool:
        body = request.read_body(self._body_limit)
        if request.content_type == FORM:
            return all(fields.might_hold(body, {name: value}) for name, value in wanted)
        try:
            found = request.form(self._body_limit)
        except Malformed:
            if self._pattern.form:
                raise
            return all(fields.might_mention(body, {name: value}) for name, value in wanted)
        return all(value in found.get(name, []) for name, value in wanted)


def _any_holds(queries: Sequence[bytes], wanted: Mapping[str, str]) -> bool:
    return any(query and fields.might_hold(query, wanted) for query in queries)
