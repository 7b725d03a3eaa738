"""Which header fields travel on, and which belong to one connection only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Headers = list[tuple[str, str]]
"""Header fields in the order of the wire; values are bytes read as latin-1."""

OURS = "x-seckill-"
"""Names with this prefix are the sidecar's to set, so a client's are dropped: nobody can forge them."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def raw_headers(environ: dict[str, Any]) -> Headers:
    """The request's fields as they were sent, duplicates and order kept.

    ``SidecarWorker`` leaves gunicorn's own list in the environ. Other servers have merged duplicates by
    then, so there the fields are rebuilt from the environ. Names come out as ``Title-Case`` in
    both cases: gunicorn upper-cases them, and HTTP doesn't distinguish.
    """
    sent = environ.get("seckill.raw_headers")
    if sent is not None:
        return [(name.title(), value) for name, value in sent]
    return [(_name(key), value) for key, value in environ.items() if _is_field(key) and value]


def end_to_end(fields: Headers) -> Headers:
    """What is left without hop-by-hop fields and those that ``Connection`` names (RFC 9110 §7.6.1).

    ``Host`` stays whatever ``Connection`` says: it is meant for every recipient.
    """
    named = {
        option.strip().lower() for name, value in fields if name.lower() == "connection" for option in value.split(",")
    }
    dropped = _HOP_BY_HOP | (named - {"host"})
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def overridden(fields: Headers, ours: Iterable[tuple[str, str]]) -> Headers:
    """``fields`` with ``ours`` in place of all of the same names, and without forged ``X-Seckill-`` ones.

    ``-`` and ``_`` count as the same in a name: to the CGI-like environment of the legacy site they are.
    """
    ours = list(ours)
    taken = {_canonical(name) for name, _ in ours}
    kept = [
        (name, value)
        for name, value in fields
        if (canonical := _canonical(name)) not in taken and not canonical.startswith(OURS)
    ]
    return kept + ours


def without(fields: Headers, *names: str) -> Headers:
    """``fields`` less those of these lower-case names."""
    return [(name, value) for name, value in fields if name.lower() not in names]


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _is_field(key: str) -> bool:
    return key.startswith("HTTP_") or key in {"CONTENT_TYPE", "CONTENT_LENGTH"}


def _name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()
