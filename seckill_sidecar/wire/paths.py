"""The one place that decides what a path is.

A purchase address has exactly one spelling here: percent-decoded once, nothing else changed. A storefront
may be more generous (case, trailing slash, ``;parameters``, ``//``, ``%2f``, ``/index.php/…``). Whatever it
might still take for the purchase address, but is not spelled as such, is ambiguous and gets a 400: neither
the gate nor the storefront serves it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

_TEMPLATE_PART = re.compile(r"\{([a-z_][a-z0-9_]*)\}", re.ASCII)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.ASCII | re.IGNORECASE)
_SCRIPT = re.compile(r"^/[^/]+\.(?:php|cgi|asp|aspx|jsp)(?=/)")
_EXTENSION = re.compile(r"\.(?:php|html?|asp|aspx|jsp|json|do|action)$")
_UNCLEAN = re.compile(r"[\x00-\x1f\x7f\\]")
_DECODE_AT_MOST = 3
_ANY = "\ue000"


def path_of(target: str) -> str:
    """The path of a request target as sent: without query, and without scheme and host if it had them."""
    path = target.partition("?")[0]
    if not path.startswith("/"):
        absolute = _ABSOLUTE.match(path)
        path = path[absolute.end() :] or "/" if absolute else path
    return path


def decode(path: str) -> str | None:
    """A path (bytes as Latin-1) percent-decoded once; None if it isn't clean text or hides a separator."""
    if "%" not in path and path.isascii():
        return None if _UNCLEAN.search(path) else path
    try:
        decoded = unquote_to_bytes(path.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if decoded.count("/") != path.count("/") or "%" in decoded or _UNCLEAN.search(decoded):
        return None
    return decoded


def loosen(path: str) -> str:
    """The simplest path that a generous storefront could take this one for: lower case, no slash at its end."""
    text = path
    for _ in range(_DECODE_AT_MOST):
        if "%" not in text:
            break
        text = unquote_to_bytes(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    text = re.split(r"[?#\x00]", text.replace("\\", "/"), maxsplit=1)[0]
    segments: list[str] = []
    for segment in text.split("/"):
        part = segment.partition(";")[0].strip(" \t\r\n\x0b\x0c.")
        if segment.strip() == "..":
            del segments[-1:]
        elif part:
            segments.append(part.lower())
    loose = "/" + "/".join(segments)
    return _EXTENSION.sub("", _SCRIPT.sub("", loose))


class Template:
    """A path template such as ``/buy/{sku}``; a name stands for one segment or a part of one."""

    def __init__(self, template: str) -> None:
        parts = _TEMPLATE_PART.split(template)
        self.names = tuple(parts[1::2])
        self._strict = re.compile(
            "".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        )
        loose = re.escape(loosen(_TEMPLATE_PART.sub(_ANY, template)))
        self._loose = re.compile(loose.replace(_ANY, "[^/]+"))

    def match(self, decoded: str) -> Mapping[str, str] | None:
        """The values of the template's names if this is its path, else None."""
        found = self._strict.fullmatch(decoded)
        return found.groupdict() if found else None

    def might_be(self, loose: str) -> bool:
        """Whether a generous storefront could take a path that was loosened to this for the template's."""
        return self._loose.fullmatch(loose) is not None
