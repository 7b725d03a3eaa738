"""Handing over, with the real sidecar between nginx and the shop: what becomes of an order when the shop fails."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from bench.shield import Site, running, soon
from demo.line import Line, Reply
from shop.signature import read_purchase
from stack.scripted import Request, reply

from seckill_sidecar.model import ItemView

SHOP = b"the shop"
_numbers = count(1)


def shop(request: Request) -> bytes | None:
    status = int(request.headers.get("x-answer", "200"))
    return reply(status, SHOP) if status else None


@pytest.fixture(scope="module", params=["keep", "release"])
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(policy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    fallbacks = {"on_storefront_down": policy}
    with running(tmp_path_factory.mktemp(policy), shop, serve={"hand_over": "x-accel"}, fallbacks=fallbacks) as site:
        yield site


@pytest.fixture
def sku(site: Site) -> str:
    """A new item of three units."""
    name = f"item-{next(_numbers)}"
    site.open_sale(name, units=3)
    return name


def ask(site: Site, path: str, method: str = "POST", body: bytes = b"", **headers: str) -> Reply:
    with closing(Line(site.nginx.address, timeout=30)) as line:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return line.ask(method, path, {"X-Buyer": "ann", **named}, body)


def view(site: Site, sku: str) -> ItemView:
    found = site.ledger.item(sku, soon())
    assert found is not None
    assert found.balanced
    return found


def test_the_shop_gets_the_winners_request_signed_and_the_buyer_its_answer(site: Site, sku: str) -> None:
    told = ask(site, f"/shop/{sku}?a=b", body=b"address=here")
    seen = site.shop.requests[-1]
    purchase = read_purchase(lambda name: seen.headers.get(name.lower()), site.keys, time.time())
    assert (told.status, told.body) == (200, SHOP)
    assert told.header("set-cookie").startswith("seckill_order=")
    assert told.header("x-seckill-receipt")
    assert (seen.path, seen.body) == (f"/shop/{sku}?a=b", b"address=here")
    assert (purchase.item, purchase.buyer, purchase.quantity) == (sku, "ann", 1)
    assert view(site, sku).held == 1


def test_what_a_loser_is_told_the_shop_never_hears_of(site: Site, sku: str) -> None:
    ask(site, f"/shop/{sku}")
    before = len(site.shop.requests)
    assert json.loads(ask(site, f"/shop/{sku}").body)["verdict"] == "limit_reached"
    assert len(site.shop.requests) == before


def test_what_is_no_purchase_reaches_the_shop_as_it_came(site: Site) -> None:
    told = ask(site, "/shop/a/b%2Fc?x=%41", body=b"y" * 1000, X_Seckill_Order="forged")
    seen = site.shop.requests[-1]
    assert (told.status, told.body, told.header("set-cookie")) == (200, SHOP, "")
    assert (seen.method, seen.path, seen.body) == ("POST", "/shop/a/b%2Fc?x=%41", b"y" * 1000)
    assert not [name for name in seen.headers if name.startswith("x-seckill")]


def test_a_shop_that_surely_failed_leaves_the_order_or_gives_it_back(site: Site, sku: str, policy: str) -> None:
    told = ask(site, f"/shop/{sku}", X_Answer="500")
    assert told.status == (202 if policy == "keep" else 503)
    assert not told.header("x-seckill-receipt")
    assert view(site, sku).held == (1 if policy == "keep" else 0)


@pytest.mark.parametrize("answer", ["0", "502", "504"])
def test_an_order_that_the_shop_may_have_taken_is_never_given_back(site: Site, sku: str, answer: str) -> None:
    told = ask(site, f"/shop/{sku}", X_Answer=answer)
    problem = json.loads(told.body)
    assert (told.status, problem["verdict"], problem["item"]) == (202, "accepted", sku)
    assert view(site, sku).held == 1


def test_a_browser_is_told_by_a_page(site: Site, sku: str) -> None:
    told = ask(site, f"/shop/{sku}", X_Answer="502", Accept="text/html")
    assert (told.status, told.header("content-type")) == (202, "text/html; charset=utf-8")


def test_a_payment_is_still_watched(site: Site, sku: str) -> None:
    ask(site, f"/shop/{sku}")
    order_id = site.shop.requests[-1].headers["x-seckill-order"]
    assert ask(site, f"/paid/{order_id}", X_Answer="500").status == 500
    assert view(site, sku).paid == 0
    assert ask(site, f"/paid/{order_id}").body == SHOP
    assert view(site, sku).paid == 1


@pytest.mark.parametrize("ticket", ["x", "v1.bench.99999999999.AAAA.AAAA", "%ff"])
def test_nobody_else_can_say_that_the_shop_has_failed(site: Site, ticket: str) -> None:
    assert ask(site, f"/seckill/unserved/{ticket}/down").status == 403
