"""What a site owner adds to the old code: read a purchase that the sidecar signed, and sign buyers' cookies.

This file knows nothing of the shop and can be copied as it is. It is the format, written down a second
time on purpose: a site in another language writes these lines in that language.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

FRESH_FOR = 60
"""Seconds for which a signed purchase is good; the two machines' clocks may differ by no more."""

Header = Callable[[str], str | None]
"""Looks up one request header by name, whatever its case; None if the request has none."""

_ORDER = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})~[0-9A-Z]{26}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


class Unsigned(Exception):
    """This purchase did not come through the sidecar; the text says what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class SignedPurchase:
    """A purchase that the sidecar accepted: the buyer has the units, the shop only has to take note."""

    order: str
    item: str
    buyer: str
    quantity: int


def read_purchase(header: Header, secrets: Mapping[str, bytes], now: float) -> SignedPurchase:
    """The purchase in a request's headers; raises ``Unsigned`` unless a known key signed it a moment ago.

    ``secrets`` holds the secret of each key id, ``now`` is in seconds since 1970 UTC.
    """
    order, item, buyer, quantity, at, key, signature = (
        _value(header, name) for name in ("Order", "Item", "Buyer", "Quantity", "Time", "Key", "Signature")
    )
    buyer = unquote(buyer)
    signed = "\n".join(("v1", order, item, buyer, quantity, at))
    if key not in secrets:
        raise Unsigned("unknown key")
    if not hmac.compare_digest(_hmac(secrets[key], signed).hex(), signature):
        raise Unsigned("wrong signature")
    if not (_ORDER.fullmatch(order) and _NUMBER.fullmatch(quantity) and _NUMBER.fullmatch(at)):
        raise Unsigned("malformed")
    if abs(now - int(at)) > FRESH_FOR:
        raise Unsigned("too old")
    return SignedPurchase(order, item, buyer, int(quantity))


def buyer_token(buyer: str, key: str, secret: bytes, expires: int) -> str:
    """The value of the cookie ``seckill_buyer``: who is buying, until when (Unix seconds), signed."""
    named = f"v1.{key}.{expires}.{_base64(buyer.encode())}"
    seal = _hmac(secret, "buyer\n" + named)
    return f"{named}.{_base64(seal)}"


def _value(header: Header, name: str) -> str:
    value = header(f"X-Seckill-{name}")
    if not value or not value.isascii():
        raise Unsigned(f"no X-Seckill-{name}")
    return value


def _hmac(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode(), "sha256")


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
