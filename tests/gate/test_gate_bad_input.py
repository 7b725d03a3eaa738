"""Bad input gets the right 4xx, and changes nothing in the ledger."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from gate_client import FORM, JSON, Answer, ask, send, written
from gate_site import Shop, all_at_once, told

MULTIPART = "Content-Type: multipart/form-data; boundary=XX"


@contextmanager
def nothing_bought(shop: Shop) -> Iterator[str]:
    """An open item; its books and the storefront have to stay as they are."""
    sku = shop.open_sale()
    before = shop.books(sku)
    yield sku
    assert shop.books(sku) == before
    assert shop.seen(sku) == []


def expect(answer: Answer, status: int, verdict: str = "invalid") -> None:
    assert (answer.status, told(answer)) == (status, verdict)
    assert answer.value("Content-Type") == "application/problem+json"


# -- quantities ----------------------------------------------------------------------------------------

# fmt: off
NO_QUANTITY = ["0", "-1", "1e3", "1.5", "%D9%A3", "1_000", "nan", "0x10", "99999999999", "", "+1", "1+", "00",
               "01", "1%00",
               "inf", "10000", "%EF%BC%91", "1,0", "١", "true", "None", "1%0a", "%31%20"]
NO_JSON_QUANTITY = ["true", "false", "1.0", "1e0", "null", "[1]", "{}", '""', '" 1"', '"1 "', "0", "-1", "10000",
                    '"1_0"', "-0", '"٣"', "1e400", "NaN", "Infinity", "0x10", "01", "1" * 5000, '"\\ud800"',
                    '"1\\u0000"']
# fmt: on


@pytest.mark.parametrize("text", NO_QUANTITY)
def test_a_quantity_that_is_none_in_a_form(shop: Shop, text: str) -> None:
    with nothing_bought(shop) as sku:
        body = f"quantity={text}".encode()
        expect(ask(shop.address, f"/buy/{sku}", "X-User: alice", FORM, body=body), 400)


@pytest.mark.parametrize("text", [text for text in NO_QUANTITY if text.isascii()])
def test_a_quantity_that_is_none_in_a_query(shop: Shop, text: str) -> None:
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, f"/q?sku={sku}&n={text}", "X-User: alice", method="GET"), 400)


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "1.5", "٣", "1_000", "nan", "0x10", "1 1"])
def test_a_quantity_that_is_none_in_a_header_or_a_cookie(shop: Shop, text: str) -> None:
    sent = text.encode().decode("latin-1")
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, "/h", "X-User: alice", f"X-Sku: {sku}", f"X-Quantity: {sent}"), 400)
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, "/c", "X-User: alice", f"Cookie: sku={sku}; n={sent}"), 400)


@pytest.mark.parametrize("text", NO_JSON_QUANTITY, ids=lambda text: text[:12])
def test_a_quantity_that_is_none_in_json(shop: Shop, text: str) -> None:
    with nothing_bought(shop) as sku:
        body = f'{{"cart": [{{"sku": "{sku}", "quantity": {text}}}]}}'.encode()
        answer = ask(shop.address, "/api/buy", "X-User: alice", JSON, body=body)
        expect(answer, 413 if len(body) > 4096 else 400)


def test_a_quantity_in_json_may_be_text(shop: Shop) -> None:
    sku = shop.open_sale()
    body = f'{{"cart": [{{"sku": "{sku}", "quantity": "3"}}]}}'.encode()
    assert ask(shop.address, "/api/buy", "X-User: alice", JSON, body=body).json["quantity"] == 3


# -- fields that are missing, or there twice -------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        ("/q?n=1", [], b""),
        ("/q?sku={sku}", [], b""),
        ("/q?sku={sku}&sku={sku}&n=1", [], b""),
        ("/q?sku={sku}&n=1&n=2", [], b""),
        ("/q?sku={sku}&n=1&key=a&key=b", [], b""),
        ("/q?sku={sku}&n=1&key=", [], b""),
        ("/buy/{sku}", [FORM], b"quantity=1&quantity=1"),
        ("/index.php?route=checkout/confirm", [FORM], b"product_id={sku}"),
        ("/index.php?route=checkout/confirm", [FORM], b"quantity=1"),
        ("/index.php?route=checkout/confirm", [FORM], b"quantity=1&product_id={sku}&product_id={sku}"),
        ("/index.php?route=checkout/confirm", [], b""),
        ("/h", ["X-Sku: {sku}"], b""),
        ("/h", ["X-Quantity: 1"], b""),
        ("/h", ["X-Sku: {sku}", "X-Quantity: 1", "X-Quantity: 2"], b""),
        ("/h", ["X-Sku: {sku}", "X-Sku: {sku}", "X-Quantity: 1"], b""),
        ("/h", ["X-Sku: {sku}", "X-Quantity: 1", "X-Key: a b"], b""),
        ("/c", ["Cookie: sku={sku}"], b""),
        ("/c", ["Cookie: n=1"], b""),
        ("/c", ["Cookie: sku={sku}; n=1; n=2"], b""),
        ("/c", ["Cookie: sku={sku}; n=1", "Cookie: n=2"], b""),
        ("/api/buy", [JSON], b'{"cart": []}'),
        ("/api/buy", [JSON], b'{"cart": [{"quantity": 1}]}'),
        ("/api/buy", [JSON], b'{"cart": [{"sku": "{sku}"}]}'),
        ("/api/buy", [JSON], b'{"cart": {"0": "x"}}'),
        ("/api/buy", [JSON], b'{"cart": [{"sku": "{sku}", "quantity": 1, "quantity": 1}]}'),
        ("/api/buy", [JSON], b'{"cart": [{"sku": "{sku}", "quantity": 1}], "cart": []}'),
        ("/api/buy", [JSON], b'{"cart": [{"sku": ["{sku}"], "quantity": 1}]}'),
        ("/api/buy", [JSON], b'{"cart": [{"sku": 7, "quantity": 1}]}'),
    ],
    ids=lambda value: f"{value[0]} {value[1]} {value[2].decode()}",
)
def test_a_field_that_is_missing_or_there_twice(shop: Shop, request_: tuple[str, list[str], bytes]) -> None:
    target, fields, body = request_
    with nothing_bought(shop) as sku:
        lines = ["X-User: alice", *(field.replace("{sku}", sku) for field in fields)]
        target, body = target.replace("{sku}", sku), body.replace(b"{sku}", sku.encode())
        expect(ask(shop.address, target, *lines, body=body), 400)


# -- bodies that can't be read -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"quantity=%FF"),
        (FORM, b"quantity=1&note=%C3%28"),
        (FORM, "quantity=1&note=é".encode()),
        (FORM, b"&".join(b"f%d=1" % no for no in range(400))),
        (FORM, b"&" * 3000),
        (JSON, b"{"),
        (JSON, b""),
        (JSON, b'{"cart": [{"sku": "\xff"}]}'),
        (JSON, b"\xef\xbb\xbf{}"),
        (JSON, b"[" * 4000),
        (JSON, b'{"a":' * 800),
        (JSON, b"nul"),
        (JSON, b"{} {}"),
        (MULTIPART, b"--XX\r\n"),
        (MULTIPART, b"--XX\r\nnonsense"),
        (MULTIPART, b'--XX\r\nContent-Disposition: form-data; name="quantity"\r\n\r\n\xff\r\n--XX--\r\n'),
        (MULTIPART, b'--XX\r\nContent-Disposition: form-data; name="quantity"\r\n\r\n1'),
        (MULTIPART, b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 70 + b"--XX--\r\n"),
        ("Content-Type: multipart/form-data", b"--XX--\r\n"),
        ("Content-Type: multipart/form-data; boundary=" + "x" * 200, b"--XX--\r\n"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_body_that_cannot_be_read(shop: Shop, kind: str, body: bytes) -> None:
    with nothing_bought(shop) as sku:
        target = f"/api/buy?{sku}" if kind is JSON else f"/buy/{sku}"
        expect(ask(shop.address, target, "X-User: alice", kind, body=body), 400)


@pytest.mark.parametrize("path", ["/buy/{sku}", "/plain/{sku}", "/signed/{sku}"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(shop: Shop, path: str, chunked: bool) -> None:
    with nothing_bought(shop) as sku:
        cookie = f"Cookie: seckill_buyer={shop.buyer_token('alice')}"
        expect(shop.buy(sku, "alice", FORM, cookie, path=path, body=b"x" * 5000, chunked=chunked), 413)


def test_a_body_of_the_greatest_size_is_fine(shop: Shop) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "alice", FORM, path="/buy/{sku}", body=b"x" * 4096).status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/xml", "image/png", "multipart/mixed"])
def test_a_form_of_the_wrong_content_type(shop: Shop, kind: str) -> None:
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, f"/buy/{sku}", "X-User: a", f"Content-Type: {kind}", body=b"quantity=1"), 415)


@pytest.mark.parametrize("kind", ["text/plain", FORM.partition(": ")[2], "application/jsonx", "application/json5", ""])
def test_json_of_the_wrong_content_type(shop: Shop, kind: str) -> None:
    with nothing_bought(shop) as sku:
        body = f'{{"cart": [{{"sku": "{sku}", "quantity": 1}}]}}'.encode()
        expect(ask(shop.address, "/api/buy", "X-User: a", f"Content-Type: {kind}", body=body), 415)


def test_a_body_that_breaks_off(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        raw = written(f"/plain/{sku}", "X-User: alice", FORM, body=b"x" * 100)[:-50]
        assert broken_off(shop, raw) in (b"", b"400")


def test_a_chunk_that_is_none(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        head = written(f"/plain/{sku}", "X-User: alice", FORM, chunked=True).rpartition(b"0\r\n\r\n")[0]
        assert broken_off(shop, head + b"5\r\nhello\r\nzz\r\nhello\r\n") in (b"", b"400")


def broken_off(shop: Shop, raw: bytes) -> bytes:
    """The status of the answer to a request that ends too early, if there is any answer."""
    with socket.create_connection(shop.address, timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").readline()[9:12]


# -- who, what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sku", ["-x", "a" * 65, "a%20b", "%E4%BD%A0", "a:b", "{x}", "a*b", "%7Bx%7D", "a%0Ab", ".x", "~x"]
)
def test_an_item_that_is_none(shop: Shop, sku: str) -> None:
    expect(ask(shop.address, f"/plain/{sku}", "X-User: alice"), 400)


UNCLEAN = "a\u2028b".encode().decode("latin-1")


@pytest.mark.parametrize(
    "fields", [(), ("X-User: ",), ("X-User:   ",), ("X-User: " + "x" * 256,), (f"X-User: {UNCLEAN}",)]
)
def test_a_buyer_who_is_none(shop: Shop, fields: tuple[str, ...]) -> None:
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, f"/plain/{sku}", *fields), 401, "unidentified")


def test_a_buyer_whose_name_is_not_utf_8(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, f"/plain/{sku}", "X-User: Zo\xeb"), 400)


def test_a_buyer_from_a_peer_who_is_no_proxy_of_ours(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        expect(shop.buy(sku, "alice", source="127.0.0.9"), 401, "unidentified")


def test_the_address_that_a_stranger_claims_counts_for_nothing(shop: Shop) -> None:
    sku = shop.open_sale(total=100)
    calls = [
        lambda no=no: ask(
            shop.address,
            f"/signed/{sku}",
            f"Cookie: seckill_buyer={shop.buyer_token(f'b{no}')}",
            f"X-Real-IP: 203.0.113.{no}",
            source="127.0.0.9",
        )
        for no in range(31)
    ]
    assert sorted(answer.status for answer in all_at_once(calls)) == [201] * 30 + [429]


def test_two_buyers_at_once_are_none(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        answer = ask(shop.address, f"/signed/{sku}", "Cookie: seckill_buyer=a; seckill_buyer=b")
        expect(answer, 400)


def forged(shop: Shop) -> Iterator[tuple[str, str]]:
    good = shop.buyer_token("alice")
    version, key, expires, payload, signature = good.split(".")
    other = shop.buyer_token("bob").split(".")[3]
    yield "nothing", ""
    yield "not a token", "alice"
    yield "another payload", ".".join([version, key, expires, other, signature])
    yield "another expiry", ".".join([version, key, str(int(expires) + 1), payload, signature])
    yield "another key", ".".join([version, "old", expires, payload, signature])
    yield "a key that is gone", ".".join([version, "gone", expires, payload, signature])
    yield "another version", ".".join(["v2", key, expires, payload, signature])
    yield "no signature", ".".join([version, key, expires, payload, ""])
    yield "half a signature", good[:-8]
    yield "padding", good + "="
    yield "more", good + ".x"
    yield "expired", shop.buyer_token("alice", seconds=-1)
    yield "for another purpose", shop.order_token("sku~x", "alice")
    yield "for nobody", shop.buyer_token("")
    yield "for an unclean name", shop.buyer_token("alice\nbob")
    yield "for a long name", shop.buyer_token("x" * 256)


def test_a_token_that_does_not_hold(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        for what, token in forged(shop):
            answer = ask(shop.address, f"/signed/{sku}", f"Cookie: seckill_buyer={token}", "X-User: alice")
            assert (what, answer.status, told(answer)) == (what, 401, "unidentified")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, '"', "a b", '"a b"', "\x7f", "é", "a\tb", '"é"'])
def test_an_idempotency_key_that_is_none(shop: Shop, key: str) -> None:
    with nothing_bought(shop) as sku:
        answer = shop.buy(sku, "alice", key=key)
        assert answer.status == 400


def test_two_idempotency_keys_are_none(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        assert shop.buy(sku, "alice", "Idempotency-Key: a b", key="c").status == 400


def test_a_key_of_the_greatest_length_is_fine(shop: Shop) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, key="k" * 255).status == 201


def test_thousands_of_fields_and_headers_are_refused_fast_and_change_nothing(shop: Shop) -> None:
    with nothing_bought(shop) as sku:
        expect(ask(shop.address, f"/q?sku={sku}&n=1&" + "&".join(["a=1"] * 1000), "X-User: alice", method="GET"), 400)
        raw = written(f"/plain/{sku}", "X-User: alice", *(f"X-{no}: 1" for no in range(2000)))
        assert send(shop.address, raw).status in (400, 431)
