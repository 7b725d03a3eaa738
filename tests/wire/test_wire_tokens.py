"""What we sign: each way in which a token can fail, purposes apart, keys that come and go."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seckill_sidecar.model import Order, State
from seckill_sidecar.wire import tokens
from seckill_sidecar.wire.tokens import BUYER, ORDER, InvalidToken, Keyring, SigningKey

NOW = 1_700_000_000.0
OLD, NEW = SigningKey("old", b"the secret of last year"), SigningKey("new", b"the secret of this year")
RING = Keyring([NEW, OLD])
names = st.text(st.characters(exclude_categories=("Cs",)), max_size=100)


@settings(deadline=None)
@given(names, st.integers(1, 10**9))
def test_a_token_carries_its_payload_until_it_expires(name: str, seconds: int) -> None:
    token = RING.sign(BUYER, name, NOW + seconds)
    assert RING.verify(BUYER, token, NOW) == name
    with pytest.raises(InvalidToken, match="expired"):
        RING.verify(BUYER, token, NOW + seconds)


def test_a_token_reads_as_it_is_documented() -> None:
    payload = base64.urlsafe_b64encode("Zoë".encode()).rstrip(b"=").decode()
    named = f"v1.new.1700000060.{payload}"
    signature = hmac.new(NEW.secret, f"buyer\n{named}".encode(), hashlib.sha256).digest()
    expected = f"{named}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert RING.sign(BUYER, "Zoë", NOW + 60.9) == expected


def test_keys_may_be_changed_without_anyone_noticing() -> None:
    of_old, of_new = (Keyring([key]).sign(BUYER, "alice", NOW + 60) for key in (OLD, NEW))
    assert RING.verify(BUYER, of_old, NOW) == RING.verify(BUYER, of_new, NOW) == "alice"
    assert RING.sign(BUYER, "alice", NOW + 60) == of_new
    with pytest.raises(InvalidToken, match="'old', which is not among keys"):
        Keyring([NEW]).verify(BUYER, of_old, NOW)


@pytest.mark.parametrize("purpose", [ORDER, "", "buyer\n", "BUYER"])
def test_a_token_is_worth_nothing_for_another_purpose(purpose: str) -> None:
    with pytest.raises(InvalidToken, match="signature"):
        RING.verify(purpose, RING.sign(BUYER, "alice", NOW + 60), NOW)


@pytest.mark.parametrize(
    "token",
    ["", ".", "....", "v1", "v2.new.1700000060.eA.eA", "v1.new.x.eA.eA", "v1.new.-1.eA.eA", "v1.new.1_0.eA.eA",
     "v1.new.٣.eA.eA", "v1.new.1700000060.eA",
     "v1.new.1700000060.eA.eA.eA", "x" * 3000, "v1.new." + "9" * 13 + ".eA.eA"],
)  # fmt: skip
def test_what_has_not_the_form_of_a_token_is_none(token: str) -> None:
    with pytest.raises(InvalidToken, match="not a token of ours"):
        RING.verify(BUYER, token, NOW)


@settings(deadline=None)
@given(st.data())
def test_no_letter_of_a_token_can_be_changed(data: st.DataObject) -> None:
    token = RING.sign(BUYER, "alice", NOW + 60)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    forged = token[:at] + letter + token[at + 1 :]
    if forged != token:
        with pytest.raises(InvalidToken):
            RING.verify(BUYER, forged, NOW)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_token_or_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        RING.verify(BUYER, text, NOW)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(mine: bytes, theirs: bytes) -> bool:
        compared.append((mine, theirs))
        return False

    token = RING.sign(BUYER, "alice", NOW + 60)
    monkeypatch.setattr(tokens.hmac, "compare_digest", compare)
    with pytest.raises(InvalidToken, match="signature"):
        RING.verify(BUYER, token, NOW)
    assert [mine == theirs for mine, theirs in compared] == [True]


def test_an_orders_token_is_for_that_order_and_tells_its_buyer() -> None:
    token = RING.order_token("a~1", "alice\nbob", NOW + 60)
    assert RING.bearer_of(token, "a~1", NOW) == "alice\nbob"
    with pytest.raises(InvalidToken, match="another order"):
        RING.bearer_of(token, "a~2", NOW)
    with pytest.raises(InvalidToken):
        RING.bearer_of(RING.sign(BUYER, "a~1\nalice", NOW + 60), "a~1", NOW)


def test_a_receipt_says_what_was_accepted_and_lets_its_bearer_ask() -> None:
    order = Order("kettle~1", "kettle", 3, 7, "alice\nbob", 2, State.PAID, 1000, 2000)
    receipt = RING.receipt(order, NOW + 60)
    bearer = RING.read_order_token(receipt, "kettle~1", NOW)
    assert bearer.buyer == RING.bearer_of(receipt, "kettle~1", NOW) == "alice\nbob"
    assert bearer.receipt == Order("kettle~1", "kettle", 0, 0, "alice\nbob", 2, State.HELD, 1000, 2000)


def test_an_orders_token_is_no_receipt() -> None:
    token = RING.order_token("kettle~1", "2\n1000\n2000\nalice", NOW + 60)
    assert RING.read_order_token(token, "kettle~1", NOW).receipt is None


def test_a_receipt_is_for_one_order_and_for_its_time() -> None:
    receipt = RING.receipt(Order("kettle~1", "kettle", 1, 1, "alice", 1, State.HELD, 0, 0), NOW + 60)
    with pytest.raises(InvalidToken, match="another order"):
        RING.read_order_token(receipt, "kettle~2", NOW)
    with pytest.raises(InvalidToken):
        RING.read_order_token(receipt, "kettle~1", NOW + 61)


def test_the_headers_for_the_storefront_are_signed_line_by_line() -> None:
    order = Order("kettle~1", "kettle", 1, 1, "Zoë & co", 2, State.HELD, 0, 0)
    headers = dict(RING.storefront_headers(order, NOW + 0.9))
    assert headers["X-Seckill-Buyer"] == "Zo%C3%AB%20%26%20co"
    signed = "v1\nkettle~1\nkettle\nZoë & co\n2\n1700000000"
    assert headers["X-Seckill-Signature"] == hmac.new(NEW.secret, signed.encode(), "sha256").hexdigest()
    assert headers["X-Seckill-Key"] == "new"


def test_a_ring_without_keys_is_known_as_such() -> None:
    assert not Keyring([])
    assert RING
