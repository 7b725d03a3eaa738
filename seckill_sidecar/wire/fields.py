"""Fields of query strings and forms: exactly as they were meant, or as loosely as anyone could read them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, unquote_to_bytes

from falcon.media.multipart import MultipartFormHandler

from seckill_sidecar.errors import SeckillError
from seckill_sidecar.wire import paths

_MOST = 200
_SHORT = 64
_SEPARATORS = re.compile(b"[&;]")
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

Fields = Mapping[str, list[str]]
"""Values by name; a name may come more than once."""


class Malformed(SeckillError):
    """The request can't be read; ``status`` is 400, 413 or 415."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


def parse(encoded: bytes, what: str) -> Fields:
    """URL-encoded fields; raises ``Malformed`` unless they are UTF-8 and at most 200."""
    return _parse_short(encoded, what) if len(encoded) <= _SHORT else _parse(encoded, what)


def _parse(encoded: bytes, what: str) -> Fields:
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST
        )
    except ValueError as error:
        raise Malformed(f"{what} can't be read: it is no URL-encoded UTF-8, or has over {_MOST} fields") from error
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


_parse_short = lru_cache(maxsize=1024)(_parse)
"""``quantity=1`` is what most buyers send. Nobody changes what it returns."""


def parse_multipart(body: bytes, content_type: str) -> Fields:
    """The fields of a multipart form, without its files; raises ``Malformed``."""
    found: dict[str, list[str]] = {}
    try:
        for part in MultipartFormHandler().deserialize(io.BytesIO(body), content_type, len(body)):  # type: ignore[no-untyped-call,unused-ignore]
            if part.filename is None and part.name is not None:
                found.setdefault(part.name, []).append(part.get_data().decode("utf-8"))
    except Exception as error:  # falcon raises several kinds for what is no multipart form
        raise Malformed("the multipart form can't be read") from error
    return found


def values_of(encoded: bytes, name: str) -> Iterator[bytes]:
    """All values that a generous storefront could find under this name in URL-encoded fields. Never raises."""
    wanted = _name(name.encode())
    return (held for sent, held in _loosely(encoded) if _name(sent) == wanted)


def names_a_part(body: bytes, name: str) -> bool:
    """Whether a multipart body seems to have a field of this name. Never raises."""
    return (
        re.search(rb"name\s*=\s*[\"']?\s*" + re.escape(name.encode()) + rb"(?![\w-])", body, re.IGNORECASE) is not None
    )


def might_mention(body: bytes, wanted: Mapping[str, str]) -> bool:
    """Whether all these names and values stand somewhere in a multipart body that we can't read. Never raises."""
    text = body.lower()
    words = [word for name, value in wanted.items() for word in (name, *value.split("/"))]
    return all(word.lower().encode() in text for word in words)


def might_hold(encoded: bytes, wanted: Mapping[str, str]) -> bool:
    """Whether a generous storefront could find all these fields in URL-encoded ones. Never raises.

    ``;`` may separate, PHP drops blanks before a name and all after a NUL, and sites clean up values
    (``checkout//confirm/``) before they compare them.
    """
    pairs = list(_loosely(encoded))
    return all(
        any(_name(sent) == _name(name.encode()) and _value(held) & _value(value.encode()) for sent, held in pairs)
        for name, value in wanted.items()
    )


def _loosely(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    for pair in _SEPARATORS.split(encoded.replace(b"+", b" ")):
        name, _, value = pair.partition(b"=")
        yield unquote_to_bytes(name), unquote_to_bytes(value)


def _name(name: bytes) -> str:
    text = name.partition(b"\0")[0].decode("utf-8", "replace")
    return text.strip().lower().replace(".", "_").replace(" ", "_")


def _value(value: bytes) -> frozenset[str]:
    return paths.loosen(b"/" + value)
