"""The demo's shop in a real browser: its buyers behind the gate, with the script and without."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import pytest
from browser_words import Buyer

NewBuyer = Callable[..., Buyer]


def sign_in(buyer: Buyer, shop: str, name: str, product: str) -> None:
    buyer.come(shop)
    buyer.page.get_by_label("your name").fill(name)
    buyer.page.get_by_role("button", name="Log in").click()
    buyer.page.get_by_text(f"Hello, {name}.").wait_for()
    buyer.come(urljoin(shop, f"/product/{product}"))


def test_one_wins_and_all_others_see_that_it_is_gone(shop: str, new_buyer: NewBuyer) -> None:
    winner, loser, plain, chinese = (
        new_buyer(),
        new_buyer(color_scheme="dark"),
        new_buyer(java_script_enabled=False),
        new_buyer(java_script_enabled=False, locale="zh-CN", color_scheme="dark"),
    )
    sign_in(winner, shop, "Ann", "flash-phone")
    assert winner.status.count() == 1
    winner.shoot("shop-before")
    winner.click()
    winner.reads("You got it")
    assert winner.page.locator("[data-order]").count() == 1
    winner.shoot("shop-won")

    sign_in(loser, shop, "Bob", "flash-phone")
    loser.click()
    loser.sees("Sold out.")
    loser.shoot("shop-lost")

    sign_in(plain, shop, "Cleo", "flash-phone")
    plain.click()
    plain.reads("Sold out")
    assert plain.page.locator("html").get_attribute("lang") == "en"
    assert plain.page.get_by_role("main").count() == 1
    plain.shoot("page-sold-out")

    sign_in(chinese, shop, "Dan", "flash-phone")
    chinese.click()
    chinese.reads("已售罄")
    assert chinese.page.locator("html").get_attribute("lang") == "zh"
    chinese.shoot("page-sold-out-chinese")


def test_without_the_script_the_form_buys_as_it_is(shop: str, new_buyer: NewBuyer) -> None:
    buyer = new_buyer(java_script_enabled=False)
    sign_in(buyer, shop, "Eve", "green-teapot")
    buyer.click()
    buyer.reads("You got it")


def test_who_is_not_signed_in_is_told_so(shop: str, new_buyer: NewBuyer) -> None:
    with_script, without = new_buyer(), new_buyer(java_script_enabled=False)
    for buyer in (with_script, without):
        buyer.come(urljoin(shop, "/product/green-teapot"))
        buyer.click()
    with_script.sees("Sign in to buy.")
    without.reads("Sign in to buy")


@pytest.mark.parametrize(
    ("locale", "asks", "goes_on", "is_in"),
    [
        ("en-GB", "First show that you are no robot", "Go on", "Yours: the order is in"),
        ("zh-CN", "请先证明您不是机器人", "继续", "抢到了"),
    ],
)
def test_who_is_challenged_proves_to_be_no_robot_and_buys(
    shop: str, new_buyer: NewBuyer, locale: str, asks: str, goes_on: str, is_in: str
) -> None:
    buyer = new_buyer(locale=locale)
    sign_in(buyer, shop, f"Guy of {locale}", "green-teapot")
    buyer.page.evaluate(
        """() => { const form = document.querySelector("form[data-seckill]");
           form.action = "/careful/green-teapot"; form.submit(); }"""
    )
    buyer.reads(asks)
    buyer.page.locator("input[name=altcha]").wait_for(state="attached")
    buyer.shoot(f"page-challenge-{locale}")
    buyer.page.get_by_role("button", name=goes_on).click()
    buyer.reads(is_in)


def test_an_order_has_a_page_that_looks_again_by_itself(shop: str, buyer: Buyer) -> None:
    sign_in(buyer, shop, "Flo", "green-teapot")
    asked = {"Idempotency-Key": "flo's", "Accept": "application/json"}
    buy = urljoin(shop, "/buy/green-teapot")
    answers = [buyer.page.request.post(buy, headers=asked, form={"quantity": "1"}) for _ in range(2)]
    poll = answers[1].json()["poll"]
    assert buyer.page.request.get(urljoin(shop, poll), headers=asked).json()["state"] == "held"
    buyer.come(urljoin(shop, poll))
    buyer.reads("This order is yours, and waits to be paid")
    assert buyer.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    buyer.shoot("page-order")
    buyer.come(urljoin(shop, "/seckill/orders/green-teapot~01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    buyer.reads("No such order")


def test_the_script_is_kept_by_browsers_and_asked_for_by_its_tag(shop: str, buyer: Buyer) -> None:
    address = urljoin(shop, "/seckill/seckill.js")
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
