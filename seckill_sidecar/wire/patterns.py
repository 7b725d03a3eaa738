"""Which requests a pattern of the configuration means: methods, path template, host, query and form fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from seckill_sidecar.wire import fields, paths
from seckill_sidecar.wire.fields import FORM, MULTIPART
from seckill_sidecar.wire.request import Request


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

    def may_serve(self, request: Request) -> bool:
        """Whether method and host are the pattern's, as a storefront takes them."""
        return request.method in self._served and (not self._host or self._host in request.hosts)

    def match(self, request: Request) -> Mapping[str, str] | None:
        """What the path template found, or None if the request isn't spelled as the pattern has it.

        Raises ``Malformed`` if its fields can't be read, which is asked only of what they could matter to.
        """
        if request.method not in self._methods or not self.may_serve(request) or request.path is None:
            return None
        values = self._template.match(request.path)
        return values if values is not None and self._fields_match(request) else None

    def might_match(self, request: Request) -> bool:
        """Whether a generous storefront could take a request for this pattern's, however it is spelled."""
        return (
            self.may_serve(request) and self._template.might_be(request.readings) and self._fields_might_match(request)
        )

    def _fields_match(self, request: Request) -> bool:
        if not self._pattern.query and not self._pattern.form:
            return True
        if not self._fields_might_match(request):
            return False  # and whatever else is wrong with the fields is the storefront's business
        return all(request.query.get(name) == [value] for name, value in self._pattern.query.items()) and all(
            request.form(self._body_limit).get(name) == [value] for name, value in self._pattern.form.items()
        )

    def _fields_might_match(self, request: Request) -> bool:
        query, form = self._pattern.query, self._pattern.form
        if query and not fields.might_hold(request.raw_query, query):
            return False
        if not form:
            return True
        if request.content_type == MULTIPART:
            found = request.form(self._body_limit)
            return all(value in found.get(name, []) for name, value in form.items())
        return request.content_type == FORM and fields.might_hold(request.read_body(self._body_limit), form)
