"""What we sign: buyers' tokens, orders' tokens, and requests: those that go on to the storefront, and an operator's.

A token reads ``v1.<key id>.<expiry>.<payload>.<signature>``: expiry in Unix seconds, payload and signature in
base64url without padding. The signature is HMAC-SHA256 over the purpose, a newline, and all before the last
dot, so that a token made for one purpose is worth nothing for another. The first key signs, all verify.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from seckill_sidecar.errors import SeckillError
from seckill_sidecar.model import Order

BUYER = "buyer"
ORDER = "order"
PROBE = "probe"
_LONGEST = 2048
FRESH_SECONDS = 60
"""How far the time in a signed request may be from ours."""
_EXPIRY = re.compile(r"[0-9]{1,12}", re.ASCII)


class InvalidToken(SeckillError):
    """The token is forged, expired, signed by a key that is gone, or made for something else."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One secret and its name."""

    id: str
    secret: bytes

    def mac(self, text: str) -> bytes:
        return hmac.digest(self.secret, text.encode(errors="replace"), hashlib.sha256)


class Keyring:
    """The site's keys, the signing one first."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)
        self._by_id = {key.id: key for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def sign(self, purpose: str, payload: str, expires: float) -> str:
        """A token that carries ``payload`` (readable by anyone) until ``expires`` (Unix seconds)."""
        key = self._keys[0]
        body = f"v1.{key.id}.{int(expires)}.{_encode(payload.encode())}"
        return f"{body}.{_encode(key.mac(f'{purpose}{chr(10)}{body}'))}"

    def verify(self, purpose: str, token: str, now: float) -> str:
        """The payload of a token that we made for this purpose and that hasn't expired; raises InvalidToken."""
        body, _, signature = token.rpartition(".")
        parts = body.split(".")
        if len(token) > _LONGEST or len(parts) != 4 or parts[0] != "v1" or not _EXPIRY.fullmatch(parts[2]):
            raise InvalidToken("not a token of ours")
        key = self._by_id.get(parts[1])
        if key is None:
            raise InvalidToken(f"signed with key {parts[1][:16]!r}, which is not among keys")
        # As text, so that a token has one spelling: base64 would let bits vary that nothing reads.
        if not hmac.compare_digest(_encode(key.mac(f"{purpose}\n{body}")).encode(), signature.encode(errors="replace")):
            raise InvalidToken("the signature does not match")
        if int(parts[2]) <= now:
            raise InvalidToken("it has expired")
        return _decode(parts[3]).decode()

    def secrets(self, purpose: str) -> list[bytes]:
        """A secret of each key for one purpose, the signing key's first: for what others than this file sign."""
        return [key.mac(f"secret\n{purpose}") for key in self._keys]

    def order_token(self, order_id: str, buyer: str, expires: float) -> str:
        """A token that proves that its bearer may ask for this order."""
        return self.sign(ORDER, f"{order_id}\n{buyer}", expires)

    def bearer_of(self, token: str, order_id: str, now: float) -> str:
        """The buyer for whom this order's token was made; raises InvalidToken."""
        named, _, buyer = self.verify(ORDER, token, now).partition("\n")
        if named != order_id:
            raise InvalidToken("it was made for another order")
        return buyer

    def pseudonym(self, buyer: str) -> str:
        """12 hex digits that stand for this buyer wherever the same key signs; empty without a key."""
        return self._keys[0].mac(f"pseudonym\n{buyer}").hex()[:12] if self._keys else ""

    def storefront_headers(self, order: Order, now: float) -> list[tuple[str, str]]:
        """The signed headers of an accepted request: the storefront refuses purchases without them.

        The signature is hex HMAC-SHA256 over ``v1``, order, item, buyer, quantity and time (Unix seconds), a
        line each. The buyer's header is percent-encoded UTF-8; the signed line is not.
        """
        key, time = self._keys[0], int(now)
        signed = f"v1\n{order.id}\n{order.item}\n{order.buyer}\n{order.quantity}\n{time}"
        return [
            ("X-Seckill-Order", order.id),
            ("X-Seckill-Item", order.item),
            ("X-Seckill-Buyer", quote(order.buyer, safe="")),
            ("X-Seckill-Quantity", str(order.quantity)),
            ("X-Seckill-Time", str(time)),
            ("X-Seckill-Key", key.id),
            ("X-Seckill-Signature", key.mac(signed).hex()),
        ]

    def request_headers(self, method: str, path: str, body: bytes, now: float) -> list[tuple[str, str]]:
        """The headers that sign a request to the operator's API; see ``verify_request``."""
        key, time = self._keys[0], str(int(now))
        return [
            ("X-Seckill-Time", time),
            ("X-Seckill-Key", key.id),
            ("X-Seckill-Signature", key.mac(_request_text(method, path, time, body)).hex()),
        ]

    def verify_request(
        self, method: str, path: str, body: bytes, key_id: str, time: str, signature: str, now: float
    ) -> None:
        """Raise ``InvalidToken`` unless one of our keys signed this request within the last minute.

        The signature is hex HMAC-SHA256 over ``v1``, method, path (as sent, without query), time (Unix seconds) and
        the hex SHA-256 of the body, a line each. Within the minute it may be sent again: settling twice is harmless.
        """
        key = self._by_id.get(key_id)
        if key is None:
            raise InvalidToken(f"signed with key {key_id[:16]!r}, which is not among keys")
        expected = key.mac(_request_text(method, path, time, body)).hex()
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise InvalidToken("the signature does not match")
        if not _EXPIRY.fullmatch(time) or abs(int(time) - now) > FRESH_SECONDS:
            raise InvalidToken(f"it was not signed within the last {FRESH_SECONDS} s; compare the clocks")


def _request_text(method: str, path: str, time: str, body: bytes) -> str:
    return f"v1\n{method}\n{path}\n{time}\n{hashlib.sha256(body).hexdigest()}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("not base64url") from error
