"""The demo's shop in a real browser: its buyers behind the sidecar, with the script and without."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from browser_words import Buyer
from demo.site import Site

NewBuyer = Callable[..., Buyer]


def url_of(site: Site) -> str:
    return "http://{}:{}/".format(*site.front)


def sign_in(buyer: Buyer, site: Site, name: str, product: str) -> None:
    buyer.come(url_of(site))
    buyer.page.get_by_label("your name").fill(name)
    buyer.page.get_by_role("button", name="Log in").click()
    buyer.page.get_by_text(f"Hello, {name}.").wait_for()
    buyer.come(urljoin(url_of(site), f"/product/{product}"))


def test_one_wins_and_all_others_see_that_it_is_gone(site: Site, new_buyer: NewBuyer) -> None:
    winner, loser, plain, chinese = (
        new_buyer(),
        new_buyer(color_scheme="dark"),
        new_buyer(java_script_enabled=False),
        new_buyer(java_script_enabled=False, locale="zh-CN", color_scheme="dark"),
    )
    sign_in(winner, site, "Ann", "flash-phone")
    assert winner.status.count() == 1
    winner.shoot("shop-before")
    winner.click()
    winner.reads("You got it")
    assert winner.page.locator("[data-order]").count() == 1
    winner.shoot("shop-won")

    sign_in(loser, site, "Bob", "flash-phone")
    loser.click()
    loser.sees("Sold out.")
    loser.shoot("shop-lost")

    sign_in(plain, site, "Cleo", "flash-phone")
    plain.click()
    plain.reads("Sold out")
    assert plain.page.locator("html").get_attribute("lang") == "en"
    assert plain.page.get_by_role("main").count() == 1
    plain.shoot("page-sold-out")

    sign_in(chinese, site, "Dan", "flash-phone")
    chinese.click()
    chinese.reads("已售罄")
    assert chinese.page.locator("html").get_attribute("lang") == "zh"
    chinese.shoot("page-sold-out-chinese")


def test_without_the_script_the_form_buys_as_it_is(site: Site, new_buyer: NewBuyer) -> None:
    buyer = new_buyer(java_script_enabled=False)
    sign_in(buyer, site, "Eve", "green-teapot")
    buyer.click()
    buyer.reads("You got it")


def test_who_is_not_signed_in_is_told_so(site: Site, new_buyer: NewBuyer) -> None:
    with_script, without = new_buyer(), new_buyer(java_script_enabled=False)
    for buyer in (with_script, without):
        buyer.come(urljoin(url_of(site), "/product/green-teapot"))
        buyer.click()
    with_script.sees("Sign in to buy.")
    without.reads("Sign in to buy")


def test_an_order_has_a_page_that_looks_again_by_itself(site: Site, buyer: Buyer) -> None:
    sign_in(buyer, site, "Flo", "green-teapot")
    asked = {"Idempotency-Key": "flo's", "Accept": "application/json"}
    buy = urljoin(url_of(site), "/buy/green-teapot")
    answers = [buyer.page.request.post(buy, headers=asked, form={"quantity": "1"}) for _ in range(2)]
    poll = answers[1].json()["poll"]
    assert buyer.page.request.get(urljoin(url_of(site), poll), headers=asked).json()["state"] == "held"
    buyer.come(urljoin(url_of(site), poll))
    buyer.reads("This order is yours, and waits to be paid")
    assert buyer.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    buyer.shoot("page-order")
    buyer.come(urljoin(url_of(site), "/seckill/orders/green-teapot~01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    buyer.reads("No such order")


def test_the_script_is_kept_by_browsers_and_asked_for_by_its_tag(site: Site, buyer: Buyer) -> None:
    address = urljoin(url_of(site), "/seckill/seckill.js")
    first = buyer.page.request.get(address)
    assert (first.status, first.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert (first.headers["x-content-type-options"], first.headers["content-encoding"]) == ("nosniff", "gzip")
    tag = first.headers["etag"]
    again = buyer.page.request.get(address, headers={"If-None-Match": tag})
    assert (again.status, again.body()) == (304, b"")
    version = tag.removeprefix('W/"').removesuffix('"')
    for_good = buyer.page.request.get(f"{address}?v={version}")
    assert "immutable" in for_good.headers["cache-control"]
    assert "immutable" not in first.headers["cache-control"]
