"""Single values out of one request, each from the place that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from seckill_sidecar.model import Verdict
from seckill_sidecar.wire import fields
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request


class Place(Protocol):
    """Where a value stands: ``query`` and the field's name, say."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


class Values:
    """The values of one request. What can't be read as exactly one value is a ``Refusal`` (400, 413, 415)."""

    def __init__(self, request: Request, path_values: Mapping[str, str], body_limit: int) -> None:
        """``path_values`` is what the path template found."""
        self._request = request
        self._path_values = path_values
        self._body_limit = body_limit

    def text(self, place: Place) -> str | None:
        """The one value of a place as text, or None if it is absent."""
        value = self.value(place)
        if value is None or isinstance(value, str):
            return value
        raise Refusal(Verdict.INVALID, f"{place.kind} field {place.name} has to be text")

    def value(self, place: Place) -> Any:
        """The one value of a place: text, or whatever JSON has there; None if it is absent."""
        try:
            return self._look(place)
        except Malformed as error:
            raise Refusal(Verdict.INVALID, error.detail, status=error.status) from error

    def _look(self, place: Place) -> Any:
        name = place.name
        match place.kind:
            case "path":
                return self._path_values.get(name)
            case "query":
                self._refuse_if_in_form(name)
                return _single(self._request.query.get(name), f"query field {name}")
            case "form":
                self._refuse_if_in_query(name)
                return _single(self._request.form(self._body_limit).get(name), f"form field {name}")
            case "cookie":
                return _single(self._request.cookies.get(name), f"cookie {name}")
            case "header":
                return self._request.header(name)
            case "environ":
                return self._request.environ.get(name)
        return member(self._request.json(self._body_limit), name)

    def _refuse_if_in_query(self, name: str) -> None:
        """A site that merges query and form (a servlet, PHP's ``$_REQUEST``) might read the other of the two."""
        query = self._request.raw_query
        if query and any(True for _ in fields.values_of(query, name)):
            raise Malformed(f"form field {name} stands in the query string as well")

    def _refuse_if_in_form(self, name: str) -> None:
        if self._request.form_mentions(name):
            raise Malformed(f"query field {name} stands in the form as well")


def _single(values: Sequence[str] | None, what: str) -> str | None:
    if not values:
        return None
    if len(values) > 1:
        raise Malformed(f"{what} was sent more than once")
    return values[0]


def member(document: Any, dotted: str) -> Any:
    """What JSON has at a dotted path; None if it has nothing there."""
    for part in dotted.split("."):
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isascii() and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return document
