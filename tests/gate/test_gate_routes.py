"""Which requests are purchases, and where their parts come from."""

from __future__ import annotations

import pytest
from gate_client import FORM, JSON, ask
from gate_site import Shop, told


def test_the_first_route_that_matches_decides(shop: Shop) -> None:
    sku = shop.open_sale()
    by_first, by_second = (shop.buy(sku, path=path) for path in ("/first/now-{sku}", "/first/{sku}"))
    orders = {order.id: order for order in shop.orders(sku)}
    held_ms = [orders[told.json["order"]].due_at_ms - orders[told.json["order"]].accepted_at_ms
               for told in (by_first, by_second)]  # fmt: skip
    assert held_ms == [3_600_000, 900_000]


def test_a_route_that_names_a_path_goes_before_one_that_it_only_resembles(shop: Shop) -> None:
    sku = shop.open_sale()
    assert told(shop.buy(sku, path="/first/{sku}/buy", method="PUT")) == "accepted"
    assert told(shop.buy(sku, path="/first/{sku}/buy.do", method="PUT")) == "accepted"


def test_a_host_may_have_its_own_route(shop: Shop) -> None:
    sku = shop.open_sale()
    for host in ("vip.test", "VIP.test", "vip.test:8080", "vip.test."):
        assert told(shop.buy(sku, None, f"Host: {host}", path="/hosted/{sku}")) == "accepted", host
    assert told(shop.buy(sku, path="/hosted/{sku}")) == "storefront"
    assert told(shop.buy(sku, None, "Host: vip.test.evil", path="/hosted/{sku}")) == "storefront"
    assert shop.view(sku).held == 4


def test_a_target_with_a_host_in_it_is_for_that_host(shop: Shop) -> None:
    sku = shop.open_sale()
    assert told(shop.buy(sku, path="http://vip.test/hosted/{sku}")) != "storefront"
    assert shop.seen(sku) == []


def php(shop: Shop, sku: str, target: str) -> str:
    """What a buyer of a PHP shop is told."""
    return told(ask(shop.address, target, "X-User: alice", FORM, body=f"product_id={sku}&quantity=1".encode()))


@pytest.mark.parametrize(
    "target",
    [
        "/index.php?route=checkout/confirm",
        "/index.php?a=1&route=checkout%2Fconfirm&b=%E2%82%AC",
        "/index.php?route=%63heckout/confirm",
        "/%69ndex.php?route=checkout/confirm",
    ],
)
def test_a_query_field_can_make_the_purchase(shop: Shop, target: str) -> None:
    sku = shop.open_sale()
    assert php(shop, sku, target) == "accepted"


@pytest.mark.parametrize(
    "target",
    ["/index.php?route=product/search", "/index.php", "/index.php?q=%C4%E3&route=product/search", "/?route=home"],
)
def test_other_pages_of_the_same_script_pass_through(shop: Shop, target: str) -> None:
    sku = shop.open_sale()
    assert php(shop, sku, target) == "storefront"
    assert (len(shop.seen(sku)), shop.orders(sku)) == (1, [])


def test_a_form_field_can_make_the_purchase(shop: Shop) -> None:
    sku = shop.open_sale()
    for do, verdict in (("buy", "accepted"), ("look", "storefront")):
        answer = ask(shop.address, "/action", "X-User: alice", FORM, body=f"sku={sku}&do={do}&n=2".encode())
        assert told(answer) == verdict
    assert shop.view(sku).held == 2
    assert told(ask(shop.address, "/action", "X-User: alice", JSON, body=b"{}")) == "storefront"


def test_a_header_or_a_cookie_can_hold_the_parts(shop: Shop) -> None:
    sku = shop.open_sale()
    by_header = ask(shop.address, "/h", "X-User: alice", f"X-Sku: {sku}", "X-Quantity: 2")
    by_cookie = ask(shop.address, "/c", "X-User: bob", f"Cookie: a=1; sku={sku}; n=3; b=2")
    assert [by_header.json["quantity"], by_cookie.json["quantity"]] == [2, 3]


def test_a_get_may_buy_where_a_route_says_so(shop: Shop) -> None:
    sku = shop.open_sale()
    assert told(ask(shop.address, f"/q?sku={sku}&n=2", "X-User: alice", method="GET")) == "accepted"
    assert shop.view(sku).held == 2


def test_a_head_never_buys_and_never_gets_past_a_get_that_does(shop: Shop) -> None:
    """Most frameworks run the same code for HEAD as for GET."""
    sku = shop.open_sale()
    answer = ask(shop.address, f"/q?sku={sku}&n=1", "X-User: alice", method="HEAD")
    assert (answer.status, answer.body) == (400, b"")
    assert (shop.seen(sku), shop.orders(sku)) == ([], [])


def test_a_method_in_small_letters_gets_past_nobody(shop: Shop) -> None:
    """Werkzeug takes ``post`` for POST."""
    sku = shop.open_sale()
    answer = shop.buy(sku, path="/plain/{sku}", method="post")
    assert answer.body != b"the storefront's own words"
    assert shop.seen(sku) == []


def test_a_signed_cookie_names_the_buyer(shop: Shop) -> None:
    sku = shop.open_sale()
    token = shop.buyer_token("名前")
    answer = ask(shop.address, f"/signed/{sku}", f"Cookie: x=y; seckill_buyer={token}", "X-User: mallory")
    assert answer.status == 201
    assert [order.buyer for order in shop.orders(sku)] == ["名前"]


def test_a_script_in_the_template_makes_nothing_else_ambiguous(shop: Shop) -> None:
    sku = shop.open_sale()
    assert told(shop.buy(sku, path="/order.php/{sku}")) == "accepted"
    assert told(ask(shop.address, "/login", "X-User: alice")) == "storefront"
