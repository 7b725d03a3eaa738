"""A page of another site can't buy in its visitors' names: browsers say where a purchase comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gate_client import ask, send, written
from gate_plugs import Threads
from gate_site import ROUTES, Shop, open_shop, told
from stack import Redis

OURS = "Host: shop.test"

# fmt: off
FOREIGN = [
    ["Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: same-site"],
    ["Sec-Fetch-Site: "],
    ["Sec-Fetch-Site: same-origin, cross-site"],
    ["Sec-Fetch-Site: cross-site", "Origin: https://shop.test"],
    ["Sec-Fetch-Site: cross-site", "Origin: null"],
    ["Origin: null"],
    ["Origin: "],
    ["Origin: https://evil.test"],
    ["Origin: https://shop.test.evil.test"],
    ["Origin: https://evil.test#shop.test"],
    ["Origin: https://evil.test@shop.test"],
    ["Origin: https://shop.test:8443"],
    ["Origin: https://[::1"],
    ["Origin: shop.test"],
    ["Origin: file://shop.test"],
    ["Origin: https://shop.test, https://evil.test"],
]
OWN = [
    [],
    ["Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: none"],
    ["Sec-Fetch-Site: same-origin", "Origin: null"],
    ["Origin: https://shop.test"],
    ["Origin: http://SHOP.test"],
    ["Origin: https://shop.test."],
    ["Origin: https://shop.test:443"],
]
# fmt: on


@pytest.mark.parametrize("fields", FOREIGN, ids=" ".join)
def test_a_purchase_that_another_sites_page_sent_is_refused(shop: Shop, fields: list[str]) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "ann", OURS, *fields, path="/buy/{sku}")
    assert (answer.status, told(answer)) == (403, "invalid")
    assert answer.json["title"] == "Buy on the shop's own pages"
    assert (shop.orders(sku), shop.seen(sku)) == ([], [])


@pytest.mark.parametrize("fields", OWN, ids=" ".join)
def test_a_purchase_of_the_shops_own_page_or_of_a_program_is_sold(shop: Shop, fields: list[str]) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "ann", OURS, *fields).status == 201


@pytest.mark.parametrize(("host", "origin"), [("shop.test:8443", "https://shop.test:8443"), ("[::1]", "http://[::1]")])
def test_a_host_with_a_port_or_an_address_is_compared_whole(shop: Shop, host: str, origin: str) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "ann", f"Host: {host}", f"Origin: {origin}").status == 201


def test_it_is_refused_before_the_body_is_read_and_before_anybody_is_identified(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "", "Sec-Fetch-Site: cross-site", body=b"x" * 5000)
    assert answer.status == 403  # neither 401 nor 413


def test_a_get_that_buys_is_held_to_it_as_well(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = ask(shop.address, f"/q?sku={sku}&n=1", "X-User: ann", "Sec-Fetch-Site: cross-site", method="GET")
    assert (answer.status, shop.orders(sku)) == (403, [])


def test_what_is_no_purchase_is_not_asked_where_it_comes_from(shop: Shop) -> None:
    assert (
        told(ask(shop.address, "/contact", "Sec-Fetch-Site: cross-site", "Origin: https://evil.test")) == "storefront"
    )


def test_who_was_made_to_send_it_is_not_reported_as_an_abuser(shop: Shop) -> None:
    sku = shop.open_sale()
    shop.buy(sku, "ann", "Sec-Fetch-Site: cross-site", "X-Real-IP: 198.51.100.77")
    shop.buy(sku, "", "X-Real-IP: 198.51.100.78")
    said = shop.plug.said()
    assert "198.51.100.78" in said
    assert "198.51.100.77" not in said


def test_nobody_is_admitted_whom_another_sites_page_made_ask(shop: Shop) -> None:
    sku = shop.open_sale()
    fields = ["Sec-Fetch-Site: cross-site", "Origin: https://evil.test", "X-Real-IP: 198.51.100.79"]
    answers = [shop.ask_admission(sku, "ann", *fields) for _ in range(7)]
    assert {(answer.status, told(answer)) for answer in answers} == {(403, "invalid")}
    assert shop.ask_admission(sku, "ann", "Sec-Fetch-Site: same-origin").status == 200
    assert "198.51.100.79" not in shop.plug.said()


# -- other origins that may buy ------------------------------------------------------------------------


OTHERS = {
    "plain": {"origins": ["*"]},
    "page": {"origins": []},
    "hidden": {"origins": ["https://app.test"]},
}


@pytest.fixture(scope="module")
def open_site(redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    stores = {"redis": redis_server.url, "broker": "none"}
    stores["database"] = f"sqlite:///{tmp_path_factory.mktemp('origins')}/orders.db"
    routes = [route | OTHERS.get(route["name"], {}) for route in ROUTES]
    changes = {
        "stores": stores,
        "ledger": {"prefix": "origins"},
        "routes": routes,
        "identity": {"origins": ["https://www.shop.test"]},
    }
    with ExitStack() as running:
        yield open_shop(running, Threads.name, changes)


@pytest.mark.parametrize("site", [[], ["Sec-Fetch-Site: same-site"], ["Sec-Fetch-Site: cross-site"]])
@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/buy/{sku}", "https://www.shop.test", 201),
        ("/buy/{sku}", "https://WWW.shop.test", 201),
        ("/buy/{sku}", "http://www.shop.test", 403),
        ("/page/{sku}", "https://www.shop.test", 403),
        ("/plain/{sku}", "https://evil.test", 201),
    ],
)
def test_pages_of_listed_origins_may_buy(open_site: Shop, path: str, origin: str, status: int, site: list[str]) -> None:
    sku = open_site.open_sale()
    assert open_site.buy(sku, None, f"Origin: {origin}", *site, path=path).status == status


def test_pages_of_origins_that_one_of_the_routes_lists_may_ask_for_admission(open_site: Shop) -> None:
    sku = open_site.open_sale()
    origins = [f"Origin: https://{host}.test" for host in ("www.shop", "app", "evil")]
    asked = [open_site.ask_admission(sku, "ann", origin) for origin in origins]
    assert [answer.status for answer in asked] == [200, 200, 403]


def test_a_listed_origin_must_be_named(open_site: Shop) -> None:
    assert open_site.buy(open_site.open_sale(), "ann", "Sec-Fetch-Site: same-site", path="/buy/{sku}").status == 403


def test_the_answer_does_not_wait_for_the_body(shop: Shop) -> None:
    sku = shop.open_sale()
    head = written(f"/plain/{sku}", "X-User: ann", "Sec-Fetch-Site: cross-site", body=b"x" * 10)[:-10]
    assert send(shop.address, head).status == 403
