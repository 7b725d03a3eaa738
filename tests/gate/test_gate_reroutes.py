"""A purchase that is named elsewhere than in the request line is the gate's or nobody's, never the shop's alone."""

from __future__ import annotations

import pytest
from gate_client import FORM, ask
from gate_site import Shop, told

OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]


def expect_nobodys(shop: Shop, sku: str, method: str, target: str, *fields: str, body: bytes = b"") -> None:
    answer = ask(shop.address, target, "X-User: ann", *fields, method=method, body=body)
    assert (answer.status, shop.orders(sku), shop.seen(sku)) == (400, [], [])


@pytest.mark.parametrize("header", OVERRIDES)
@pytest.mark.parametrize("value", ["POST", "post", " POST ", "GET, POST"])
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_a_method_in_a_header(shop: Shop, header: str, value: str, method: str) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, method, f"/buy/{sku}", f"{header}: {value}")


@pytest.mark.parametrize("field", ["_method=POST", "_METHOD=post", "%5fm%65thod=POST", "a=b;_method=POST"])
def test_a_method_in_the_query(shop: Shop, field: str) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "GET", f"/buy/{sku}?{field}")


@pytest.mark.parametrize("body", [b"_method=PUT", b"a=b&_method=put", b"%5Fmethod=PUT"])
def test_a_method_in_a_form(shop: Shop, body: bytes) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", f"/first/{sku}/buy", FORM, body=body)


def test_a_method_in_a_multipart_form(shop: Shop) -> None:
    sku = shop.open_sale()
    body = b'--x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nput\r\n--x--\r\n'
    expect_nobodys(shop, sku, "POST", f"/first/{sku}/buy", "Content-Type: multipart/form-data; boundary=x", body=body)


def test_a_purchase_that_names_another_method_is_not_clear(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", f"/buy/{sku}", "X-HTTP-Method-Override: GET")


def test_a_purchase_that_names_its_own_method_is_sold(shop: Shop) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "ann", "X-HTTP-Method-Override: post").status == 201


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL"])
@pytest.mark.parametrize(
    "target",
    [
        "/buy/{sku}", "buy/{sku}", "/BUY/{sku}/", "/b%75y/{sku}", "http://shop.test/buy/{sku}", "/x/../buy/{sku}?a=b",
        "/hello, /buy/{sku}", "/index.php?route=checkout/confirm&x={sku}",
    ],
)  # fmt: skip
def test_a_path_in_a_header(shop: Shop, header: str, target: str) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", "/hello", f"{header}: {target.format(sku=sku)}")


def test_a_purchase_that_names_another_path_is_not_clear(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", f"/buy/{sku}", "X-Original-URL: /hello")


@pytest.mark.parametrize("named", ["{path}", "http://shop.test{path}"])
def test_a_proxy_that_repeats_the_path_in_a_header_spoils_nothing(shop: Shop, named: str) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "ann", f"X-Original-URL: {named.format(path=f'/plain/{sku}')}").status == 201


def test_other_paths_and_methods_in_headers_pass_through(shop: Shop) -> None:
    sku = shop.open_sale()
    for fields in (["X-Original-URL: /other"], ["X-HTTP-Method-Override: PUT"], ["X-Rewrite-URL: /buy"]):
        assert told(ask(shop.address, f"/hello?{sku}&_method=PUT", "X-User: ann", *fields)) == "storefront"
    assert len(shop.seen(sku)) == 3


# -- fields that some sites look for in query and form alike ---------------------------------------------


@pytest.mark.parametrize("query", ["do=buy", "DO=Buy", "%64o=buy", "x;do=buy"])
@pytest.mark.parametrize("kind", [FORM, "Content-Type: text/plain"])
def test_a_form_field_in_the_query(shop: Shop, query: str, kind: str) -> None:
    sku = shop.open_sale()
    answer = ask(shop.address, f"/action?{query}&sku={sku}", "X-User: ann", kind, body=b"x=y")
    assert answer.status in (400, 415)
    assert (shop.orders(sku), shop.seen(sku)) == ([], [])


@pytest.mark.parametrize("target", ["/index.php", "/index.php?route=home", "/?x"])
@pytest.mark.parametrize("field", ["route=checkout/confirm", "ROUTE=checkout%2Fconfirm"])
def test_a_query_field_in_the_form(shop: Shop, target: str, field: str) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", target, FORM, body=f"{field}&product_id={sku}".encode())


def test_a_query_field_in_a_multipart_form_that_nobody_can_read(shop: Shop) -> None:
    sku = shop.open_sale()
    body = f'--x\r\nContent-Disposition: form-data; name="route"\r\n\r\ncheckout/confirm {sku}'.encode()
    expect_nobodys(shop, sku, "POST", "/index.php", "Content-Type: multipart/form-data; boundary=x", body=body)


def test_forms_of_such_a_shop_that_are_no_purchases_pass_as_they_came(shop: Shop) -> None:
    sku = shop.open_sale()
    multipart = "Content-Type: multipart/form-data; boundary=x"
    bodies = [(FORM, b"name=checkout"), (FORM, b"route=home&x=" + b"y" * 9000), (multipart, b"--x" + b"y" * 9000)]
    for kind, body in bodies:
        for chunked in (False, True):
            answer = ask(shop.address, f"/index.php?route=admin&{sku}", "X-User: ann", kind, body=body, chunked=chunked)
            assert told(answer) == "storefront"
    assert [entry["body"] for entry in shop.seen(sku)] == [body.decode() for _, body in bodies for _ in range(2)]


@pytest.mark.parametrize("query", ["quantity=5", "QUANTITY=5", "%71uantity=5", "a=b;quantity=5"])
@pytest.mark.parametrize("body", [b"", b"quantity=1"])
def test_a_quantity_in_the_query_that_belongs_into_the_form(shop: Shop, query: str, body: bytes) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", f"/buy/{sku}?{query}", FORM, body=body)


@pytest.mark.parametrize("body", [b"n=9", b"sku=other", b"SKU=other", b"%6e=9"])
def test_a_query_field_that_stands_in_the_form_as_well(shop: Shop, body: bytes) -> None:
    sku = shop.open_sale()
    expect_nobodys(shop, sku, "POST", f"/q?sku={sku}&n=1", FORM, body=body)
