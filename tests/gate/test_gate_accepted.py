"""What an accepted purchase brings to the storefront, and what the buyer gets back."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from gate_client import FORM, JSON, ask
from gate_site import SECRET, Shop, told

from seckill_sidecar.model import State

MULTIPART = "Content-Type: multipart/form-data; boundary=XX"
MULTIPART_BODY = b'--XX\r\nContent-Disposition: form-data; name="quantity"\r\n\r\n2\r\n--XX--\r\n'


def headers_of(seen: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    return {name.lower(): value for name, value in seen["headers"]}


def expect_signed(headers: dict[str, str], sku: str, buyer: str, quantity: int) -> None:
    """The signature as the storefront's owner computes it, from the documentation alone."""
    order, at = headers["x-seckill-order"], headers["x-seckill-time"]
    assert headers["x-seckill-item"] == sku
    assert unquote(headers["x-seckill-buyer"]) == buyer
    assert headers["x-seckill-quantity"] == str(quantity)
    assert headers["x-seckill-key"] == "new"
    assert abs(time.time() - int(at)) < 60
    text = "\n".join(["v1", order, sku, buyer, str(quantity), at])
    assert headers["x-seckill-signature"] == hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_an_accepted_purchase_reaches_the_storefront_once_and_signed(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice", path="/buy/{sku}?from=mail")
    assert (answer.status, told(answer)) == (201, "storefront")
    (seen,) = shop.seen(sku)
    assert (seen["method"], seen["target"]) == ("POST", f"/buy/{sku}?from=mail")
    expect_signed(headers_of(seen), sku, "alice", 1)
    (order,) = shop.orders(sku)
    assert (order.id, order.buyer, order.state) == (headers_of(seen)["x-seckill-order"], "alice", State.HELD)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"note=a+b%20c%E2%82%AC&quantity=2&empty=&=x"),
        (FORM, b"quantity=2&" + b"x" * 4000),
        (MULTIPART, MULTIPART_BODY),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_the_storefront_gets_the_body_as_it_was_sent(shop: Shop, kind: str, body: bytes, chunked: bool) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "alice", kind, path="/buy/{sku}", body=body, chunked=chunked).status == 201
    (seen,) = shop.seen(sku)
    assert seen["body"].encode("latin-1") == body
    assert headers_of(seen)["content-type"] == kind.partition(": ")[2]
    expect_signed(headers_of(seen), sku, "alice", 2)


def test_a_buyer_whose_name_is_not_ascii_arrives_whole(shop: Shop) -> None:
    sku, buyer = shop.open_sale(), "名前 Zoë"
    assert shop.buy(sku, buyer.encode().decode("latin-1"), path="/buy/{sku}").status == 201
    expect_signed(headers_of(shop.seen(sku)[0]), sku, buyer, 1)


def test_forged_headers_of_ours_are_replaced(shop: Shop) -> None:
    sku = shop.open_sale()
    forged = ["X-Seckill-Order: forged", "x-seckill-buyer: mallory", "X-Seckill-Signature: forged", "X-Seckill-New: 1"]
    assert shop.buy(sku, "alice", *forged, path="/buy/{sku}").status == 201
    (seen,) = shop.seen(sku)
    names = [name.lower() for name, _ in seen["headers"] if name.lower().startswith("x-seckill")]
    assert len(names) == len(set(names)) == 7
    expect_signed(headers_of(seen), sku, "alice", 1)


def test_forged_headers_of_ours_are_stripped_from_what_is_no_purchase(shop: Shop) -> None:
    word = shop.open_sale()
    forged = ["X-Seckill-Order: forged", "X-SECKILL-Signature: forged", "X_Seckill_Order: forged", "X-Seckil: fine"]
    assert ask(shop.address, f"/other/{word}", *forged).status == 201
    (seen,) = shop.seen(word)
    names = {re.sub("_", "-", name.lower()) for name, _ in seen["headers"]}
    assert not any(name.startswith("x-seckill") for name in names)
    assert "x-seckil" in names


def test_the_storefronts_answer_comes_back_untouched(shop: Shop) -> None:
    answer = shop.buy(shop.open_sale(), "alice", "X-Act: odd", path="/buy/{sku}")
    assert (answer.status, answer.body) == (418, b"\x00\xffodd")
    assert answer.values("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert answer.values("X-Twice") == ["1", "2"]
    assert answer.values("Content-Type") == ["application/x-odd"]
    assert not answer.values("Cache-Control")


def test_what_is_no_purchase_passes_through(shop: Shop) -> None:
    word = shop.open_sale()
    for method, target in [
        ("GET", f"/buy/{word}"),
        ("POST", f"/sell/{word}"),
        ("PUT", f"/buy/{word}"),
        ("DELETE", "/"),
    ]:
        answer = ask(shop.address, f"{target}?{word}", "X-Act: odd", method=method)
        assert (answer.status, answer.values("X-Twice")) == (418, ["1", "2"])
    assert len(shop.seen(word)) == 4
    assert shop.orders(word) == []


# -- our own answers ---------------------------------------------------------------------------------


def test_json_tells_the_order_and_where_to_ask_for_it(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice")
    assert (answer.status, answer.value("Content-Type"), answer.value("Cache-Control")) == (
        201,
        "application/json",
        "no-store",
    )
    (order,) = shop.orders(sku)
    assert (answer.json["order"], answer.json["item"], answer.json["quantity"]) == (order.id, sku, 1)
    assert (answer.json["verdict"], answer.json["state"]) == ("accepted", "held")
    assert answer.json["held_until"] > answer.json["accepted_at"]
    assert answer.json["poll"] == answer.value("Location")
    assert shop.look_up(answer.value("Location")).json["order"] == order.id


def test_a_page_tells_the_order_to_a_person(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice", path="/page/{sku}")
    assert (answer.status, answer.value("Content-Type")) == (200, "text/html; charset=utf-8")
    (order,) = shop.orders(sku)
    assert order.id in answer.text
    (link,) = re.findall('href="([^"]+)"', answer.text)
    assert shop.look_up(link).json["state"] == "held"


def test_a_redirect_carries_a_token_that_fits_the_order(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice", path="/redirect/{sku}")
    assert answer.status == 303
    where = urlsplit(answer.value("Location"))
    fields = {name: values[0] for name, values in parse_qs(where.query).items()}
    (order,) = shop.orders(sku)
    assert (where.scheme, where.netloc, where.path) == ("", "", "/thanks")
    assert (fields["order"], fields["of"]) == (order.id, sku)
    assert shop.site.keyring.bearer_of(fields["token"], order.id, time.time()) == "alice"


def test_a_json_body_is_a_purchase(shop: Shop) -> None:
    sku = shop.open_sale()
    body = f'{{"cart": [{{"sku": "{sku}", "quantity": 3}}]}}'.encode()
    answer = ask(shop.address, "/api/buy", "X-User: alice", JSON, body=body)
    assert (answer.status, answer.json["quantity"], shop.view(sku).held) == (201, 3, 3)
