"""The one place that decides what a path is.

A purchase address has exactly one spelling here: percent-decoded once, nothing else changed. A storefront
may be more generous (case, trailing slash, ``;parameters``, ``//``, ``%2f``, ``/index.php/…``). Whatever it
might still take for the purchase address, but is not spelled as such, is ambiguous and gets a 400: neither
the gate nor the storefront serves it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_TEMPLATE_PART = re.compile(r"\{([a-z_][a-z0-9_]*)\}", re.ASCII)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.ASCII | re.IGNORECASE)
_BARE_SCHEME = re.compile(rb"^[A-Za-z][A-Za-z0-9+.-]*:(?=/)")
INDEX = ("index", "default")
"""What a folder's own page may be called."""
_SCRIPT = re.compile(r"\.(?:php[0-9]?|phtml|f?cgi|p[ly]|aspx?|jspx?|do|action)$")
_EXTENSION = re.compile(r"(?<=.)\.(?:php[0-9]?|phtml|f?cgi|p[ly]|aspx?|jspx?|do|action|html?|json)$")
_UNCLEAN = re.compile(r"[\x00-\x1f\x7f\\]")
_DECODE_AT_MOST = 3
_MICROSOFT_ESCAPE = re.compile(rb"%u([0-9A-Fa-f]{4})")
# ASCII written as two or three bytes, which UTF-8 forbids and old decoders read all the same.
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80\x81][\x80-\xbf]")
_ANY = "\ue000"
_MAY_VANISH = re.compile(rb"[%;\x00-\x20\x7f-\xff]|\.\.")
_SEPARATOR = re.compile(r"[/\\?#\x00]")
_KEPT = "_"


# -- as it is spelled ------------------------------------------------------------------------------


def path_of(target: str) -> str:
    """The path of a request target as sent: without query, and without scheme and host if it had them."""
    path = target.partition("?")[0]
    absolute = _ABSOLUTE.match(path)
    return path[absolute.end() :] or "/" if absolute else path


def authority_of(target: str) -> str:
    """The host (and port) that a request target names itself, else empty."""
    absolute = _ABSOLUTE.match(target)
    return absolute[1].rpartition("@")[2] if absolute else ""


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


# -- what it could be taken for ----------------------------------------------------------------------


@lru_cache(maxsize=4096)
def loosen(path: bytes) -> frozenset[str]:
    """The paths, each in its simplest form, that a generous storefront could take this one for."""
    path = _BARE_SCHEME.sub(b"", path)
    text = _unescaped(path)
    # Some end at a NUL, others drop it.
    spellings = [text, text.replace("\0", "")] if "\0" in text else [text]
    found = [_segments(spelling) for spelling in spellings]
    if _MAY_VANISH.search(path):
        # What is nothing to some is text like any other to those who take any text in the place of a name.
        more = [_segments(spelling, keeps=True) for spelling in (*spellings, _closed(path))]
        found += [segments for segments in more if segments not in found]
    readings = [reading for segments in found for reading in _read(segments)]
    return frozenset(_joined(reading) for reading in [*readings, *map(_without_index, readings)])


def _read(segments: list[str]) -> list[list[str]]:
    return [_plain(segments), *_around_scripts(segments)]


def _unescaped(path: bytes) -> str:
    for _ in range(_DECODE_AT_MOST):
        if b"%" not in path:
            break
        path = _MICROSOFT_ESCAPE.sub(lambda code: chr(int(code[1], 16)).encode("utf-8", "replace"), path)
        path = unquote_to_bytes(path)
    path = _OVERLONG.sub(lambda long: bytes([(long[0][-2] & 3) << 6 | long[0][-1] & 0x3F]), path)
    # Compatibility forms: a full-width b is a b to a database's collation, and to Windows.
    return unicodedata.normalize("NFKC", path.decode("utf-8", "replace"))


def _closed(path: bytes) -> str:
    """The path of who takes it apart before decoding it: what is encoded separates and ends nothing.

    But for encoded ways back, by which nginx leaves for another address before it compares.
    """
    segments = map(_unescaped, path.split(b"/"))
    return "/".join(text if ".." in text else _SEPARATOR.sub(_KEPT, text) for text in segments)


def _segments(path: str, keeps: bool = False) -> list[str]:
    """Lower case, without empty ones, ``.``, ``..`` and ``;parameters``; blanks and dots at the ends don't count.

    With ``keeps`` something stands for each segment of which nothing else is left.
    """
    segments: list[str] = []
    for segment in re.split(r"[?#\x00]", path.replace("\\", "/"), maxsplit=1)[0].split("/"):
        name = segment.partition(";")[0].strip()
        if name == ".." and (segment == ".." or not keeps):
            del segments[-1:]
        elif name := name.strip(". \t\r\n"):
            segments.append(name.lower())
        elif keeps and segment not in ("", "."):
            segments.append(_KEPT)
    return segments


def _plain(segments: list[str]) -> list[str]:
    return [_EXTENSION.sub("", segment) for segment in segments]


def _around_scripts(segments: list[str]) -> Iterator[list[str]]:
    """What follows a script in a path may be the real path (a front controller), or of no account."""
    plain = _plain(segments)
    for i, segment in enumerate(segments[:-1]):
        if _SCRIPT.search(segment):
            yield plain[:i] + plain[i + 1 :]
            yield plain[: i + 1]


def _without_index(segments: list[str]) -> list[str]:
    return segments[:-1] if segments and segments[-1] in INDEX else segments


def _joined(segments: list[str]) -> str:
    return "/" + "/".join(segments)


class Template:
    """A path template such as ``/buy/{sku}``; a name stands for one segment or a part of one."""

    def __init__(self, template: str) -> None:
        parts = _TEMPLATE_PART.split(template)
        self.names = tuple(parts[1::2])
        self._strict = re.compile(
            "".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        )
        self._loose = re.compile("|".join(_pattern(form) for form in _forms(_TEMPLATE_PART.sub(_ANY, template))))

    def match(self, decoded: str) -> Mapping[str, str] | None:
        """The values of the template's names if this is its path, else None."""
        found = self._strict.fullmatch(decoded)
        return found.groupdict() if found else None

    def might_be(self, readings: frozenset[str]) -> bool:
        """Whether a generous storefront could take a path that loosens to these for the template's."""
        return any(self._loose.fullmatch(reading) for reading in readings)


def forms(template: str) -> list[str]:
    """The simplest forms under which a generous storefront could serve a path template; ``{}`` stands for a name."""
    return sorted(form.replace(_ANY, "{}") for form in _forms(_TEMPLATE_PART.sub(_ANY, template)))


def _forms(template: str) -> set[str]:
    """A template loosened. ``/index.php/buy/{sku}`` may be served as ``/buy/{sku}`` too, but
    ``/buy.php/{sku}`` is not any path of one segment."""
    segments = _segments(template)
    shorter = [_plain(segments[i + 1 :]) for i, segment in enumerate(segments) if _SCRIPT.search(segment)]
    fixed = [form for form in shorter if any(segment.strip(_ANY) for segment in form)]
    return {_joined(_without_index(form)) for form in (_plain(segments), *fixed)}


def _pattern(form: str) -> str:
    return re.escape(form).replace(_ANY, "[^/]+")
