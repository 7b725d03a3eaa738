"""Regular expressions for nginx: what a path template matches as it is spelled, and what could be taken for it."""

from __future__ import annotations

import re

from seckill_sidecar.wire import paths

SKU = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_STAND_FOR_ASCII = (
    r"\xc2[\x85\xa0-\xbf]|\xc4[\xb0-\xb3\xbf]|\xc5[\x80\x89\xbf]|\xc7[\x84-\x8c\xb1-\xb3]|\xca[\xb0-\xb8]|"
    r"\xcb[\x98-\xa3]|\xcd[\xba\xbe]|\xce[\x84\x85]|\xe1(?:\x9a\x80|[\xb4-\xb6\xbe\xbf]|\xba\x9a)|"
    r"\xe2[\x80-\x93\xa9\xb1]|\xe3(?:\x80\x80|\x82[\x9b\x9c]|[\x88-\x8f])|\xea\x9f|\xef[\xac\xb1\xb7-\xb9\xbc\xbd\xbf]|"
    r"\xf0(?:\x90\x9e|\x9d|\x9f[\x84-\x87\xaf])|[\xc0\xc1]|\xe0[\x80\x81]"
)
"""UTF-8 of compatibility forms (full-width, circled, mathematical letters, blanks of all kinds), and overlong UTF-8."""
ODD_SPELLINGS = (
    r".*(?:%u|%[0-9a-f]{2}|\x5c|[/\x01-\x20.];|[/\x01-\x20]\.\.[\x01-\x20]*(?:/|$)|"
    rf"{_STAND_FOR_ASCII})"
)
"""Still encoded after nginx has decoded it, backslashes, ``/;x/``, what stands for ASCII: only the gate knows."""

_PART = re.compile(r"\{([a-z_][a-z0-9_]*)\}", re.ASCII)
_NOT_LONGER = "(?![a-z0-9_-])"
_NOTHING = r"[/\x01-\x20.]"
"""Slashes, and what segments without a name are made of."""
_SCRIPT = r"[^/.;\x01-\x20][^/.;]*\.[^/]*"
BEFORE = rf"{_NOTHING}+(?:{_SCRIPT}/{_NOTHING}*)?"
"""The beginning; also a script before the path that it is to serve (``/index.php/``), or what looks like one.

No part of it can be read in two ways: a path that made nginx try over and over would keep it busy.
"""
_INDEX_PAGE = rf"(?:{'|'.join(paths.INDEX)}){_NOT_LONGER}"


def literal(text: str) -> str:
    """Text as a regular expression that nginx's own quotes leave alone."""
    return "".join(char if char.isalnum() or char in "/_-" or char > "\x7f" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}" if char in "\"'$ " else f"\\{char}"


def strictly(template: str, item: str | None = None) -> str:
    """What a path has to be, decoded, to be this template's; ``$seckill_sku`` takes the item's name."""
    parts = _PART.split(template)
    return "".join(_name(part, item) if i % 2 else literal(part) for i, part in enumerate(parts))


def _name(name: str, item: str | None) -> str:
    return f"(?<seckill_sku>{SKU})" if name == item else "[^/|]+"


def encoded(value: str) -> str:
    """A query field's value as browsers send it: each byte by itself or percent-encoded."""
    return "".join(_byte(byte) for byte in value.encode())


def _byte(byte: int) -> str:
    char = chr(byte)
    if char.isascii() and (char.isalnum() or char in "_-"):
        return char
    code = "%" + "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in f"{byte:02X}")
    spellings = [code, *(["\\+"] if char == " " else []), *([literal(char)] if "!" <= char <= "~" else [])]
    return f"(?:{'|'.join(spellings)})"


def loosely(template: str) -> list[str]:
    """What comes after ``BEFORE`` in whatever a storefront could take for this template's path.

    To be matched without regard to case against the path as nginx has decoded and simplified it.
    """
    return [_loose(form) for form in paths.forms(template)]


def _loose(form: str) -> str:
    segments = form.strip("/").split("/")
    while segments and segments[-1] in ("{}", ""):
        segments.pop()
    if not segments:
        return f"(?:{_INDEX_PAGE}|(?:;[^/]*/?)?$)" if form == "/" else "[^/]"
    *before, last = segments
    return "".join(f"{_segment(segment, more='[^/]*')}/{_NOTHING}*" for segment in before) + _segment(last)


def _segment(segment: str, more: str = "") -> str:
    """One segment; ``more`` is what may follow it, such as ``;parameters``, where that isn't taken by a name."""
    *names, end = [literal(part) for part in segment.split("{}")]
    return "".join(f"{part}[^/]+" for part in names) + (end + _NOT_LONGER + more if end else "")
