"""What we sign: tokens of buyers, of orders and of admissions, and requests: those that go on to the
storefront, and an operator's.

A token reads ``v1.<key id>.<expiry>.<payload>.<signature>``: expiry in Unix seconds, payload and signature in
base64url without padding. The signature is HMAC-SHA256 over the purpose, a newline, and all before the last
dot, so that a token made for one purpose is worth nothing for another. The first key signs, all verify.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from seckill_sidecar.errors import SeckillError
from seckill_sidecar.model import Order, State

BUYER = "buyer"
ORDER = "order"
RECEIPT = "receipt"
PROBE = "probe"
ADMISSION = "admission"
_LONGEST = 2048
FRESH_SECONDS = 60
"""How far the time in a signed request may be from ours."""
# The functions of base64 take three times as long, and tokens are checked in the midst of a rush.
_TO_URL = bytes.maketrans(b"+/", b"-_")
_EXPIRY = re.compile(r"[0-9]{1,12}", re.ASCII)


class InvalidToken(SeckillError):
    """The token is forged, expired, signed by a key that is gone, or made for something else."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One secret and its name."""

    id: str
    secret: bytes
    _keyed: hmac.HMAC = field(init=False, repr=False, compare=False)
    """With the secret in it already: half of the work."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keyed", hmac.new(self.secret, digestmod=hashlib.sha256))

    def mac(self, text: str) -> bytes:
        state = self._keyed.copy()
        state.update(text.encode("utf-8", "replace"))
        return state.digest()


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who may ask for an order."""

    buyer: str
    receipt: Order | None = None
    """The order as it was accepted, if that is what the token proves."""


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
        return self.open(purpose, token, now)[0]

    def open(self, purpose: str, token: str, now: float) -> tuple[str, int]:
        """The same, and the moment at which it expires, in Unix seconds."""
        body, _, signature = token.rpartition(".")
        parts = body.split(".")
        if len(token) > _LONGEST or len(parts) != 4 or parts[0] != "v1" or not _EXPIRY.fullmatch(parts[2]):
            raise InvalidToken("not a token of ours")
        key = self._by_id.get(parts[1])
        if key is None:
            raise InvalidToken(f"signed with key {parts[1][:16]!r}, which is not among keys")
        # As text, so that a token has one spelling: base64 would let bits vary that nothing reads.
        expected = _encoded(key.mac(f"{purpose}\n{body}"))
        if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
            raise InvalidToken("the signature does not match")
        expires = int(parts[2])
        if expires <= now:
            raise InvalidToken("it has expired")
        return _decode(parts[3]).decode(), expires

    def secrets(self, purpose: str) -> list[bytes]:
        """A secret of each key for one purpose, the signing key's first: for what others than this file sign."""
        return [key.mac(f"secret\n{purpose}") for key in self._keys]

    def order_token(self, order_id: str, buyer: str, expires: float) -> str:
        """A token that proves that its bearer may ask for this order."""
        return self.sign(ORDER, f"{order_id}\n{buyer}", expires)

    def receipt(self, order: Order, expires: float) -> str:
        """A token that proves that this order was accepted as it is, and lets its bearer ask for it."""
        terms = (order.id, str(order.quantity), str(order.accepted_at_ms), str(order.due_at_ms), order.buyer)
        return self.sign(RECEIPT, "\n".join(terms), expires)

    def bearer_of(self, token: str, order_id: str, now: float) -> str:
        """The buyer for whom this order's token or receipt was made; raises InvalidToken."""
        return self.read_order_token(token, order_id, now).buyer

    def read_order_token(self, token: str, order_id: str, now: float) -> Bearer:
        """Who bears this order's token, or its receipt; raises InvalidToken."""
        try:
            named, quantity, accepted_at, due_at, buyer = self.verify(RECEIPT, token, now).split("\n", 4)
        except InvalidToken:
            named, _, buyer = self.verify(ORDER, token, now).partition("\n")
            bearer = Bearer(buyer)
        else:
            item = named.partition("~")[0]
            bearer = Bearer(
                buyer, Order(named, item, 0, 0, buyer, int(quantity), State.HELD, int(accepted_at), int(due_at))
            )
        if named != order_id:
            raise InvalidToken("it was made for another order")
        return bearer

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
    return _encoded(data).decode()


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _decode(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "==")
    except ValueError as error:
        raise InvalidToken("not base64url") from error
