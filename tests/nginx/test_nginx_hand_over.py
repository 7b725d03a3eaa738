"""What the sidecar hands over, nginx brings to the shop: the same request, with the sidecar's signature."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nginx_words import SHOP, Front, site
from stack.scripted import Request, reply

SIGNED = ["X-Seckill-Order: kettle~1", "X-Seckill-Signature: abc"]
TICKET = "X-Seckill-Unserved: /seckill/unserved/t.i-c_k"
UNSERVED = b"told by the sidecar"


def sidecar(request: Request) -> bytes:
    if request.path.startswith("/seckill/unserved/"):
        return reply(202, UNSERVED)
    if "teapot" in request.path:
        return reply(200, b"", "", "X-Accel-Redirect: @seckill_storefront")
    accel = ["X-Accel-Redirect: @seckill_accepted", "Set-Cookie: seckill_order=t; HttpOnly", TICKET, *SIGNED]
    return reply(200, b"", "", *accel)


def shop(request: Request) -> bytes | None:
    status = int(request.headers.get("x-answer", "200"))
    return reply(status, SHOP, "text/shop", "Set-Cookie: shop=1") if status else None


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with site(tmp_path_factory.mktemp("nginx"), sidecar, shop, serve={"hand_over": "x-accel"}) as front:
        yield front


def cookies(front: Front, **headers: str) -> list[str]:
    return [value for name, value in front.buy(**headers).headers if name == "set-cookie"]


def test_an_accepted_purchase_reaches_the_shop_as_it_came_with_the_signature(front: Front) -> None:
    told = front.ask("POST", "/buy/kett%6ce?a=%2f", {"X-Seckill-Order": "forged", "X-Seckill-Item": "x"}, b"quantity=2")
    seen = front.shop.requests[-1]
    assert (told.status, told.body, told.header("content-type")) == (200, SHOP, "text/shop")
    assert (seen.method, seen.path, seen.body) == ("POST", "/buy/kett%6ce?a=%2f", b"quantity=2")
    assert (seen.headers["x-seckill-order"], seen.headers["x-seckill-signature"]) == ("kettle~1", "abc")
    assert "x-seckill-item" not in seen.headers
    assert "x-seckill-unserved" not in seen.headers
    assert not [name for name, _ in told.headers if name.startswith(("x-seckill", "x-accel"))]


def test_the_buyer_gets_the_shops_cookies_and_ours(front: Front) -> None:
    assert sorted(cookies(front)) == ["seckill_order=t; HttpOnly", "shop=1"]


def test_what_is_no_purchase_reaches_the_shop_without_a_signature(front: Front) -> None:
    assert front.ask("POST", "/buy/teapot", {"X-Seckill-Order": "forged"}, b"x=1").body == SHOP
    seen = front.shop.requests[-1]
    assert (seen.path, seen.body, "x-seckill-order" in seen.headers) == ("/buy/teapot", b"x=1", False)


def test_a_shops_own_error_for_what_is_no_purchase_passes_untouched(front: Front) -> None:
    told = front.ask("POST", "/buy/teapot", {"X-Answer": "503"})
    assert (told.status, told.body) == (503, SHOP)


def test_a_shops_refusal_of_an_accepted_purchase_passes_untouched(front: Front) -> None:
    told = front.ask("POST", "/buy/kettle", {"X-Answer": "402"})
    assert (told.status, told.body) == (402, SHOP)


@pytest.mark.parametrize(("answer", "how"), [("500", "down"), ("503", "down"), ("502", "unknown"), ("0", "unknown")])
def test_when_the_shop_fails_an_accepted_purchase_the_sidecar_says_what_holds(
    front: Front, answer: str, how: str
) -> None:
    told = front.ask("POST", "/buy/kettle", {"X-Answer": answer, "Accept": "text/html"}, b"quantity=1")
    asked = front.sidecar.requests[-1]
    assert (told.status, told.body) == (202, UNSERVED)
    assert (asked.method, asked.path) == ("POST", f"/seckill/unserved/t.i-c_k/{how}")
    assert asked.headers["accept"] == "text/html"


def test_a_shop_that_is_not_there_has_surely_taken_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody = {"storefront": "http://127.0.0.1:1"}
    folder = tmp_path_factory.mktemp("nginx")
    with site(folder, sidecar, shop, stores=nobody, serve={"hand_over": "x-accel"}) as front:
        assert front.buy().status == 202
        assert front.sidecar.requests[-1].path.endswith("/down")
