"""What a generous storefront might take for a purchase, but isn't spelled as one: neither sold nor passed on."""

from __future__ import annotations

import pytest
from gate_client import FORM, ask
from gate_site import Shop, told

STOREFRONT = b"the storefront's own words"

# fmt: off
AMBIGUOUS = [
    "/BUY/{sku}", "/Buy/{sku}", "/buy/{sku}/", "//buy/{sku}", "/buy//{sku}", "/./buy/{sku}", "/buy/./{sku}",
    "/a/../buy/{sku}", "/a/b/../../buy/{sku}", "/%2e/buy/{sku}", "/x/%2e%2e/buy/{sku}", "/x/..%2fbuy/{sku}",
    "/buy;a=1/{sku}", "/buy/{sku};a=1", "/buy/{sku};", "/;a=1/buy/{sku}", "/x/..;/buy/{sku}", "/x/..;a=1/buy/{sku}",
    "/buy%2f{sku}", "/buy%2F{sku}", "%2fbuy/{sku}", "/buy%5c{sku}", "/buy\\{sku}", "\\buy\\{sku}", "/buy%20/{sku}",
    "/%20buy/{sku}", "/buy/{sku}%20", "/buy/{sku}%00", "/buy/{sku}%00.png", "/buy/{sku}%09", "/buy/{sku}.",
    "/buy./{sku}", "/buy.php/{sku}", "/buy.html/{sku}", "/index.php/buy/{sku}", "/INDEX.PHP/buy/{sku}",
    "/app_dev.php/buy/{sku}", "/index.php/buy/{sku}/", "/buy/{sku}%23", "/buy/{sku}%23x", "/buy/{sku}%3fx=1",
    "/%2562uy/{sku}", "/%252562uy/{sku}", "/buy%252f{sku}", "/buy/{sku}%2500", "/buy/{sku}#x", "/%c1%a2uy/{sku}",
    "/buy%c0%af{sku}", "/%e0%81%a2uy/{sku}", "/%uff42uy/{sku}", "/%u0062uy/{sku}", "/%ef%bd%82uy/{sku}",
    "/buy%ef%bc%8f{sku}", "/buy/{sku}%0d%0aX:1", "buy/{sku}", "x:/buy/{sku}", "http:/buy/{sku}",
    "http://shop.test//buy/{sku}", "/%2f/buy/{sku}", "/buy/{sku}/.", "/buy/{sku}/x/..", "/buy/{sku}/index.php",
    "/buy%00/{sku}", "/%00/buy/{sku}", "/b%00uy/{sku}",
]
# fmt: on


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_an_ambiguous_address_is_refused_by_everyone(shop: Shop, path: str) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "alice", path=path)
    if shop.plug.kind and answer.status == 201:
        # These servers tidy some paths up before the application sees them; to the site, too, this was a purchase.
        assert ["X-Seckill-Order" in dict(seen["headers"]) for seen in shop.seen(sku)] == [True]
    else:
        assert answer.status in (400, 404), answer
        assert shop.seen(sku) == []
        assert shop.orders(sku) == []


@pytest.mark.parametrize(
    "path", ["/%62uy/{sku}", "/buy/%73{rest}", "/%62%75%79/{sku}", "http://shop.test/buy/{sku}", "/buy/{sku}?x=/../"]
)
def test_a_percent_encoded_letter_is_the_letter(shop: Shop, path: str) -> None:
    sku = shop.open_sale()
    assert told(shop.buy(sku, path=path.replace("{rest}", sku[1:]))) == "storefront"
    assert shop.view(sku).held == 1


@pytest.mark.parametrize(
    "target",
    [
        "/?route=checkout/confirm",
        "/index.php/?route=checkout/confirm",
        "/index.php/x?route=checkout/confirm",
        "/INDEX.php?route=checkout/confirm",
        "/index?route=checkout/confirm",
        "//?route=checkout/confirm",
        "/index.php?route=checkout/confirm/",
        "/index.php?route=Checkout/Confirm",
        "/index.php?route=checkout//confirm",
        "/index.php?route=checkout/confirm%00",
        "/index.php?route=checkout/confirm%20",
        "/index.php?+route=checkout/confirm",
        "/index.php?%20route=checkout/confirm",
        "/index.php?route%00x=checkout/confirm",
        "/index.php?a=1;route=checkout/confirm",
        "/index.php?route=home&route=checkout/confirm",
        "/index.php?route=checkout/confirm&route=home",
        "/index.php?ROUTE=checkout/confirm",
        "/index.php?route=checkout%252fconfirm",
    ],
)
def test_an_ambiguous_query_is_refused(shop: Shop, target: str) -> None:
    sku = shop.open_sale()
    answer = ask(shop.address, target, "X-User: alice", FORM, body=f"product_id={sku}&quantity=1".encode())
    assert (answer.status, told(answer)) == (400, "invalid")
    assert (shop.seen(sku), shop.orders(sku)) == ([], [])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, "do=Buy&sku={sku}"),
        (FORM, "do=look&do=buy&sku={sku}"),
        (FORM, "do=buy&do=look&sku={sku}"),
        (FORM, "+do=buy&sku={sku}"),
        (FORM, "x=1;do=buy&sku={sku}"),
        (FORM + ", text/plain", "do=buy&sku={sku}"),
        (FORM.upper(), "do=BUY&sku={sku}"),
        (
            'Content-Type: multipart/form-data; boundary="x"',
            '--x\r\nContent-Disposition: form-data; name="do"\r\n\r\nbuy',
        ),
    ],
)
def test_an_ambiguous_form_is_not_passed_on(shop: Shop, kind: str, body: str) -> None:
    sku = shop.open_sale()
    answer = ask(shop.address, f"/action?{sku}", "X-User: alice", kind, body=body.format(sku=sku).encode())
    assert answer.body != STOREFRONT
    assert shop.seen(sku) == []


LEGAL = [
    "/caf%e9",
    "/%E4%BD%A0%E5%A5%BD",
    "/a//b",
    "/buyer/x",
    "/rebuy/x",
    "/buy",
    "/buy/",
    "/buy/a/b",
    "/x;y=buy/z",
    "/a%2fb",
]


@pytest.mark.parametrize("path", LEGAL)
def test_odd_but_legal_addresses_of_the_legacy_site_pass_through(shop: Shop, path: str) -> None:
    sku = shop.open_sale()
    assert told(ask(shop.address, f"{path}?{sku}", "X-User: alice")) == "storefront"
    assert len(shop.seen(sku)) == 1
