"""By what else a client can name a method and a path: headers and fields that some frameworks believe.

``POST`` with ``X-HTTP-Method-Override: PUT`` is a PUT to Rails, Laravel or Express, so is ``_method=put`` in a query or
a form; with ``X-Original-URL: /buy/x`` a site may serve that address, whichever the request line names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from seckill_sidecar.wire import fields, paths

METHOD_HEADERS = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
PATH_HEADERS = ("X-Original-URL", "X-Rewrite-URL")
METHOD_FIELD = "_method"

_METHOD_KEYS, _PATH_KEYS = (
    [f"HTTP_{name.upper().replace('-', '_')}" for name in names] for names in (METHOD_HEADERS, PATH_HEADERS)
)
_ALL_KEYS = (*_METHOD_KEYS, *_PATH_KEYS)
_MAY_NAME_A_METHOD = re.compile(rb"method|%", re.IGNORECASE)


def has_any(environ: Mapping[str, Any]) -> bool:
    """Whether any of these headers was sent. Next to no request has one, and each is asked."""
    for key in _ALL_KEYS:  # noqa: SIM110 - any() would make a generator
        if key in environ:
            return True
    return False


def methods_in_headers(environ: Mapping[str, Any]) -> Iterator[str]:
    """The methods that these headers name, in capitals."""
    for key in _METHOD_KEYS:
        if key in environ:
            yield from (name.strip().upper() for name in environ[key].split(",") if name.strip())


def methods_in_fields(encoded: bytes) -> Iterator[str]:
    """The methods that a query string or a form names, in capitals, however loosely it is read."""
    if _MAY_NAME_A_METHOD.search(encoded):
        for value in fields.values_of(encoded, METHOD_FIELD):
            yield value.decode("latin-1").strip().upper()


def targets_in_headers(environ: Mapping[str, Any], target: str) -> Iterator[str]:
    """The paths with their queries that these headers name, unless it is what the request line names as well."""
    for key in _PATH_KEYS:
        if (sent := environ.get(key)) and _without_host(sent) != _without_host(target):
            # Servers join by a comma what was sent twice; but a path may have commas.
            yield from dict.fromkeys(_without_host(part.strip()) for part in (sent, *sent.split(",")))


def _without_host(target: str) -> str:
    _, mark, query = target.partition("?")
    return f"{paths.path_of(target)}{mark}{query}"
