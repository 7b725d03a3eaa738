"""The generated configuration in a real nginx: purchases reach the sidecar however spelled, the rest the shop."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, unquote

import pytest
from demo.line import Line
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nginx_words import BUY, SHOP, SIDECAR, Front, site
from stack import free_port

from seckill_sidecar.ops.nginx.patterns import ODD_SPELLINGS
from seckill_sidecar.wire.paths import Template, loosen

PHP = {
    "name": "checkout",
    "path": "/index.php",
    "query": {"route": "checkout/confirm"},
    "item": {"form": "product_id"},
}


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with site(tmp_path_factory.mktemp("nginx")) as front:
        yield front


@pytest.mark.parametrize(
    "path",
    [
        "/buy",
        "/buy/",
        "/buy/phone",
        "/BUY/phone",
        "/Buy",
        "/buy;x",
        "/buy%3bx",
        "/buy%2f",
        "/buy%20",
        "/buy//",
        "/buy.php",
        "/index.php/buy",
        "/shop.php5/buy/phone",
        "/buy%23",
        "/buy%3fa",
        "//buy",
        "/./buy",
        "/x/../buy",
        "/%2e/buy",
        "/b%75y/phone",
        "/b%2575y/phone",
        "/b%25u0075y/phone",
        "/%20buy/phone",
        "/buy%5cphone",
        "/x%5c..%5cbuy",
        "/%ef%bd%82uy/phone",
        "/;/buy/phone",
        "/;x=1/buy/phone",
        "/x/..;/buy/phone",
        "/x/..%20/buy/phone",
        "/%09buy/phone",
        "/%0abuy/phone",
        "/.%20./buy/phone",
        "/%20/buy/phone",
        "/%c2%a0buy/phone",
        "/%e3%80%80buy/phone",
        "/%f0%9d%90%9buy/phone",
        "/%e2%93%91uy/phone",
        "/%e0%81%a2uy/phone",
        "/%0a%ef%bd%82uy/phone",
        "/index.php;x/buy/phone",
        "/default.aspx..%2fbuy/phone",
        "/buy?x=1",
        "/seckill/orders/1",
    ],
)
def test_every_spelling_of_a_purchase_reaches_the_sidecar_as_it_was_sent(front: Front, path: str) -> None:
    assert front.ask("POST", path).body == SIDECAR
    assert front.sidecar.requests[-1].path == path


SPELLED = st.lists(
    st.sampled_from(
        ["/", "/", "buy", "buy", "kettle", "BUY", "b%75y", "b%2575y", "%62uy", "//", "%2f", "%5c", "\\", "..", ".",
         "..;", "%2e", ";", ";x", "%3b", "%20", "%09", "%0a", "%0c", "%1f", "%7f", "%c2%85", "%c2%a0", "%e3%80%80",
         "%e2%80%83", "%ef%bb%bf", "%ef%bd%82uy", "%f0%9d%90%9buy", "%e1%b5%87uy", "%e2%93%91uy", "%c1%a2uy",
         "%e0%81%a2uy", "%u0062uy", ".php", "x.php", "index.php", "default.aspx", "index", "x", ".html", "%00", "%23",
         "%3f", "-", "_", "a", "~", ":", "@"]
    ),
    max_size=7,
).map(lambda pieces: "/" + "".join(pieces))  # fmt: skip
BOUGHT_AT = Template("/buy/{sku}")


@given(SPELLED)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_that_a_generous_shop_could_take_for_a_purchase_reaches_it(front: Front, path: str) -> None:
    assume(".." not in unquote(path).split("/"))  # nginx compares what is left after these
    with closing(Line(front.nginx.address, timeout=20)) as line:
        told = line.ask("POST", path)
    assert told.body != SHOP or not BOUGHT_AT.might_be(loosen(path.encode("latin-1")))


def test_whatever_stands_for_ascii_is_for_the_gate_to_judge() -> None:
    odd = re.compile(ODD_SPELLINGS.encode("ascii"), re.DOTALL)
    letters = map(chr, [*range(0x80, 0xD800), *range(0xE000, 0x110000)])
    missed = [
        f"U+{ord(letter):04X}"
        for letter in letters
        if (letter.isspace() or any(char < "\x80" for char in unicodedata.normalize("NFKC", letter)))
        and not odd.match(b"/" + letter.encode())
    ]
    assert missed == []


@pytest.mark.parametrize("path", ["/特价商品/红色水壶、大", "/über/café/naïve", "/каталог", "/割引き", "/🎁"])
def test_other_languages_stay_with_the_shop(front: Front, path: str) -> None:
    assert front.ask("POST", quote(path)).body == SHOP


def test_no_path_keeps_nginx_busy(front: Front) -> None:
    """Where a pattern tried over and over, these would take minutes."""
    for piece in ("a.", "/;", "%20", ".%20/", "/.a", "..;", "index", "/x.php"):
        assert front.ask("POST", "/" + piece * (8000 // len(piece))).status in (200, 400)


@pytest.mark.parametrize(
    "path", ["/", "/buyers-guide", "/buyer", "/buy_now", "/product/buy", "/seckill", "/?path=/buy", "/b%C3%BCy"]
)
def test_everything_else_stays_with_the_shop(front: Front, path: str) -> None:
    assert front.ask("POST", path).body == SHOP


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_what_cannot_be_a_purchase_by_its_method_never_bothers_the_sidecar(front: Front, method: str) -> None:
    before = len(front.sidecar.requests)
    assert front.ask(method, "/buy/ph%6fne?a=b").body == (b"" if method == "HEAD" else SHOP)
    assert front.shop.requests[-1].path == "/buy/ph%6fne?a=b"
    assert len(front.sidecar.requests) == before


def test_what_a_client_says_of_itself_is_overwritten(front: Front) -> None:
    names = ["Order", "Item", "Buyer", "Quantity", "Time", "Key", "Signature", "Unserved"]
    forged = {f"X-Seckill-{name}": "forged" for name in names[:-1]} | {"X-User-Id": "forged"}
    forged |= {"X-Real-IP": "9.9.9.9", "X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9"}
    for method, seen_by in (("POST", front.sidecar), ("GET", front.shop)):
        front.ask(method, "/buy/phone", forged if method == "POST" else {**forged, "X-User-Id": "", "Forwarded": ""})
        seen = seen_by.requests[-1].headers
        assert not [name for name, value in seen.items() if "forged" in value or "9.9.9.9" in value]
        assert (seen["x-real-ip"], seen["x-forwarded-for"]) == ("127.0.0.1", "127.0.0.1")


def test_host_body_and_idempotency_key_arrive_as_sent(front: Front) -> None:
    front.ask("POST", "/buy/phone", {"Idempotency-Key": "k", "Cookie": "a=b"}, b"quantity=1")
    seen = front.sidecar.requests[-1]
    host = "{}:{}".format(*front.nginx.address)
    assert (seen.headers["host"], seen.headers["idempotency-key"], seen.headers["cookie"]) == (host, "k", "a=b")
    assert seen.body == b"quantity=1"


def test_a_body_beyond_the_bound_never_reaches_the_sidecar(front: Front) -> None:
    before = len(front.sidecar.requests)
    assert front.ask("POST", "/buy/phone", body=b"x" * 70_000).status == 413
    assert len(front.sidecar.requests) == before


def test_connections_to_the_sidecar_are_kept(front: Front) -> None:
    front.ask("POST", "/buy/phone")
    assert front.sidecar.requests[-1].headers.get("connection", "") == ""


def test_the_buyer_is_who_nginx_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    with site(tmp_path_factory.mktemp("nginx"), nginx={"buyer": "$arg_who"}) as front:
        front.ask("POST", "/buy/phone?who=ann", {"X-User-Id": "bob"})
        assert front.sidecar.requests[-1].headers["x-user-id"] == "ann"


# -- shops with one entry script, and payments -----------------------------------------------------


@pytest.fixture(scope="module")
def php_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    paid = {"name": "paid", "path": "/pay/{order}/done", "methods": ["GET"], "order": {"path": "order"}, "to": "paid"}
    with site(tmp_path_factory.mktemp("nginx"), routes=[PHP], settles=[paid]) as front:
        yield front


@pytest.mark.parametrize(
    "path",
    [
        "/index.php?route=checkout/confirm",
        "/?route=checkout/confirm",
        "/INDEX.php?route=checkout%2Fconfirm",
        "/index.php/?route=checkout/confirm",
        "/index.php5?route=x",
        "/default.aspx",
        "/;x",
        "/pay/o-1/done",
        "/Pay/o-1/done/",
    ],
)
def test_what_may_be_a_purchase_or_a_payment_by_its_path_is_the_sidecars_to_judge(php_front: Front, path: str) -> None:
    for method in ("POST", "GET"):
        assert php_front.ask(method, path).body == SIDECAR


@pytest.mark.parametrize("path", ["/indexes", "/image/x.png", "/pay/o-1", "/payments/o/done"])
def test_other_pages_of_such_a_shop_stay_with_it(php_front: Front, path: str) -> None:
    assert php_front.ask("POST", path).body == SHOP


def test_uploads_to_a_shop_with_one_entry_script_are_not_bounded_like_purchases(php_front: Front) -> None:
    assert php_front.ask("POST", "/index.php?route=admin/upload", body=b"x" * 200_000).body == SIDECAR


# -- what else may name a purchase -----------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL"])
@pytest.mark.parametrize(
    "named", ["/buy/kettle", "buy/kettle", "/BUY", "/b%75y/x", "//buy", "/x;y", "http://h/buy/x", "\\buy"]
)
@pytest.mark.parametrize("path", ["/", "/hello", "/buy/phone", "/static/x.png"])
def test_nginx_refuses_a_purchase_that_a_header_names_wherever_it_is_sent(
    front: Front, header: str, named: str, path: str
) -> None:
    asked = len(front.sidecar.requests) + len(front.shop.requests)
    assert front.ask("POST", path, {header: named}).status == 400
    assert len(front.sidecar.requests) + len(front.shop.requests) == asked


@pytest.mark.parametrize("named", ["/hello?next=buy", "/buyer", "/"])
def test_other_addresses_in_such_headers_pass(front: Front, named: str) -> None:
    assert front.ask("POST", "/hello", {"X-Original-URL": named}).body == SHOP


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_in_a_header_is_the_sidecars_to_judge(front: Front, method: str, header: str) -> None:
    assert front.ask(method, "/buy/kettle", {header: "x"}).body == SIDECAR


@pytest.mark.parametrize("query", ["_method=POST", "a=b&_METHOD=post", "_m%65thod=POST", "%5fmethod=POST"])
def test_a_method_in_the_query_is_the_sidecars_to_judge(front: Front, query: str) -> None:
    assert front.ask("GET", f"/buy/kettle?{query}").body == SIDECAR


def test_a_form_may_name_the_method_of_a_purchase(tmp_path_factory: pytest.TempPathFactory) -> None:
    with site(tmp_path_factory.mktemp("nginx"), routes=[BUY | {"methods": ["PUT"]}]) as front:
        assert front.ask("POST", "/buy/kettle", {}, b"_method=put").body == SIDECAR


def test_a_shop_that_obeys_none_of_them_is_spared_all_this(tmp_path_factory: pytest.TempPathFactory) -> None:
    with site(tmp_path_factory.mktemp("nginx"), nginx={"reroutes": "pass", "patience": None}) as front:
        assert front.ask("POST", "/hello", {"X-Original-URL": "/buy/kettle"}).body == SHOP
        assert front.ask("GET", "/buy/kettle", {"X-HTTP-Method-Override": "POST"}).body == SHOP


# -- a sidecar that is away ------------------------------------------------------------------------


def test_without_a_sidecar_the_buyer_is_told_that_nothing_is_known(tmp_path_factory: pytest.TempPathFactory) -> None:
    away = {"listen": f"127.0.0.1:{free_port()}"}
    with site(tmp_path_factory.mktemp("nginx"), serve=away) as front:
        told, page = front.buy(), front.buy(Accept="text/html")
    assert (told.status, told.header("retry-after"), told.header("content-type")) == (
        503,
        "2",
        "application/problem+json",
    )
    assert json.loads(told.body)["verdict"] == "unavailable"
    assert (page.status, page.header("content-type")) == (503, "text/html; charset=utf-8")
    assert b"<h1>" in page.body


def test_the_shop_stands_in_for_a_sidecar_that_was_never_reached(tmp_path_factory: pytest.TempPathFactory) -> None:
    away, policy = {"listen": f"127.0.0.1:{free_port()}"}, {"on_sidecar_down": "storefront"}
    with site(tmp_path_factory.mktemp("nginx"), serve=away, fallbacks=policy) as front:
        assert front.ask("POST", "/buy/kettle?a=%62", {}, b"quantity=1").body == SHOP
        seen = front.shop.requests[-1]
    assert (seen.method, seen.path, seen.body) == ("POST", "/buy/kettle?a=%62", b"quantity=1")


def test_the_shop_does_not_stand_in_once_the_sidecar_may_have_begun(tmp_path_factory: pytest.TempPathFactory) -> None:
    policy = {"on_sidecar_down": "storefront"}
    with site(tmp_path_factory.mktemp("nginx"), sidecar=lambda _: None, fallbacks=policy) as front:
        assert front.buy().status == 503
        assert (len(front.sidecar.requests), front.shop.requests) == (1, [])


# -- crowds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"address": "1/m burst 2"}, {"address": "1/m burst 2", "pace": "1000/s burst 1000"}])
def test_one_address_cannot_ask_without_end(tmp_path_factory: pytest.TempPathFactory, limit: dict[str, str]) -> None:
    with site(tmp_path_factory.mktemp("nginx"), nginx=limit) as front:
        told = [front.buy() for _ in range(5)]
    assert [reply.status for reply in told] == [200, 200, 200, 429, 429]
    assert (json.loads(told[-1].body)["verdict"], told[-1].header("retry-after")) == ("rate_limited", "1")


def test_every_route_of_a_site_may_stand_in_one_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    routes = [BUY, PHP, {**BUY, "name": "api", "path": "/api/{x}/buy-{sku}.html", "item": {"path": "sku"}}]
    with site(tmp_path_factory.mktemp("nginx"), routes=routes) as front:
        assert front.ask("POST", "/API/1/buy-2").body == SIDECAR
        assert front.ask("POST", "/api/1/buyer").body == SHOP
