"""The request target as the client sent it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

_NOT_IN_A_TARGET = re.compile(r"[^\x21-\x7e]+")
_LEGAL_IN_A_PATH = "/:@!$&'()*+,;=~%"


def target_of(environ: dict[str, Any], base: str) -> str:
    """The request target, byte for byte where the server tells it (``RAW_URI``), else quoted anew.

    ``base`` goes before the path. Bytes that HTTP doesn't allow in a target are percent-encoded, which
    means the same.
    """
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or _rebuilt(environ)
    legal = _NOT_IN_A_TARGET.sub(lambda odd: quote(odd[0].encode("latin-1")), sent)
    return base + _origin_form(legal) if base and legal != "*" else legal


def _rebuilt(environ: dict[str, Any]) -> str:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    quoted = quote(path.encode("latin-1"), safe=_LEGAL_IN_A_PATH.replace("%", "")) or "/"
    query = environ.get("QUERY_STRING", "")
    return f"{quoted}?{query}" if query else quoted


def _origin_form(target: str) -> str:
    """``/path?query`` of a target that may be in absolute form (``http://host/path?query``)."""
    if target.startswith("/"):
        return target
    after_host = re.sub(r"^[^:/?#]+://[^/?#]*", "", target)
    return after_host if after_host.startswith("/") else "/" + after_host
