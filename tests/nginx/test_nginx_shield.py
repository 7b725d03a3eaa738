"""A marker is an answer: the right one, for the right requests, from the moment it is there until it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from nginx_words import BUY, SHOP, SIDECAR, Front, site
from stack import eventually
from stack.scripted import Request, reply

ROUTES: list[dict[str, Any]] = [
    BUY,
    {"name": "query", "path": "/q", "item": {"query": "sku"}, "idempotency": {"query": "key"}, "on_accept": "json"},
    {"name": "teapot", "path": "/landing/teapot", "item": "teapot", "host": "vip.test", "on_accept": "json"},
    {"name": "form", "path": "/cart", "item": {"form": "sku"}, "query": {"route": "a/b c"}, "on_accept": "json"},
    {"name": "one-of-many", "path": "/action", "item": {"form": "sku"}, "form": {"do": "buy"}, "on_accept": "json"},
    {"name": "keyed", "path": "/two", "item": "kettle", "query": {"do": "buy"}, "idempotency": {"query": "key"}},
    {"name": "other", "path": "/two", "item": "kettle"},
    {"name": "brackets", "path": "/brackets", "item": "kettle", "query": {"cart[do]": "buy"}},
    {"name": "cookie", "path": "/cookie", "item": {"cookie": "Sku"}},
    {"name": "json-key", "path": "/api", "item": {"json": "sku"}, "idempotency": {"json": "key"}, "on_accept": "json"},
]


@pytest.fixture(scope="module")
def _front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with site(tmp_path_factory.mktemp("nginx"), routes=ROUTES) as front:
        yield front


@pytest.fixture
def front(_front: Front) -> Iterator[Front]:
    yield _front
    _front.markers.clear()


@pytest.mark.parametrize("reason", ["sold_out", "closed", "not_open"])
def test_a_marker_is_answered_in_the_gates_own_words(front: Front, reason: str) -> None:
    assert front.buy().body == SIDECAR
    front.mark(reason)
    told, page = front.buy(), front.buy(Accept="text/html,application/xhtml+xml")
    problem = json.loads(told.body)
    assert (told.status, problem["status"], problem["verdict"]) == (409, 409, reason)
    assert problem["type"] == f"urn:seckill:verdict:{reason}"
    assert (told.header("content-type"), told.header("cache-control")) == ("application/problem+json", "no-store")
    assert (page.status, page.header("content-type")) == (409, "text/html; charset=utf-8")
    assert problem["title"] in page.body.decode()
    front.mark()
    assert front.buy().body == SIDECAR


@pytest.mark.parametrize("wait", [1, 10, 60, 600, 3600])
def test_who_is_too_early_is_told_when_to_come_back(front: Front, wait: int) -> None:
    front.mark("not_open", *([f"opens_in_{wait}"] if wait > 1 else []))
    told = front.buy()
    assert (told.header("retry-after"), json.loads(told.body)["retry_after"]) == (str(wait), wait)


@pytest.mark.parametrize(
    "path", ["/buy/kettle", "/buy/kett%6ce", "//buy/kettle", "/x/../buy/kettle", "/buy/kettle?a=b"]
)
def test_the_item_is_seen_however_its_path_is_spelled(front: Front, path: str) -> None:
    front.mark("sold_out")
    assert front.buy(path).status == 409


@pytest.mark.parametrize(
    "path",
    [
        "/buy/teapot",
        "/buy/Kettle",
        "/buy/",
        "/buy/kettle.x",
        "/buy/sold_out",
        "/buy/_all",
        "/BUY/kettle",
        "/buy/kettle%0a",
    ],
)
def test_no_other_item_is_answered_for(front: Front, path: str) -> None:
    front.mark("sold_out")
    front.mark_all("sold_out")
    assert front.buy(path).body == SIDECAR


@pytest.mark.parametrize("passes", [{"Idempotency_Key": "k"}, {"Cookie": "a=b; seckill_order=x"}])
def test_who_may_hold_an_order_passes(front: Front, passes: dict[str, str]) -> None:
    front.mark("sold_out")
    assert front.buy(**passes).body == SIDECAR


def test_a_page_that_only_has_the_purchases_address_is_still_the_shops(front: Front) -> None:
    front.mark("sold_out")
    assert front.ask("GET", "/buy/kettle").body == SHOP


# -- items elsewhere than in the path --------------------------------------------------------------


def test_an_item_in_the_query_string_is_seen(front: Front) -> None:
    front.mark("sold_out")
    assert front.buy("/q?a=1&sku=kettle").status == 409
    assert front.buy("/q?sku=teapot").body == SIDECAR
    assert front.buy("/q?sku=kettle&key=k").body == SIDECAR
    assert front.buy("/q?sku=..%2fsold_out%2fkettle").body == SIDECAR
    assert front.buy("/q").body == SIDECAR


@pytest.mark.parametrize(
    "query",
    ["SKU=kettle&sku=teapot", "sku=kettle&sku=teapot", "sku=kettle&sku", "sku=kettle&s%6bu=teapot", "Sku=kettle"],
)
def test_a_field_is_the_one_of_its_exact_name_and_only_one(front: Front, query: str) -> None:
    front.mark("sold_out")
    assert front.buy(f"/q?{query}").body == SIDECAR


@pytest.mark.parametrize("path", ["/q?sku=kettle&k%65y=k", "/q?k%65y=k&sku=kettle", "/two?do=buy&key=k"])
def test_who_carries_a_key_passes_however_it_is_named(front: Front, path: str) -> None:
    front.mark("sold_out")
    assert front.buy(path).body == SIDECAR
    assert front.buy("/two?do=sell").status == front.buy("/two?do=buy").status == 409


def test_what_only_the_gate_knows_for_a_purchase_is_left_to_it(front: Front) -> None:
    front.mark("sold_out")
    for query in ("cart[do]=buy", "cart%5Bdo%5D=buy", "cart[do]=look"):
        assert front.buy(f"/brackets?{query}").body == SIDECAR


@pytest.mark.parametrize(
    ("cookies", "status"),
    [
        ("Sku=kettle", 409),
        ('a=b; Sku="kettle" ;c=d', 409),
        ("sku=kettle; Sku=teapot", 200),
        ("Sku=kettle; Sku=teapot", 200),
        ("Sku=kettle, Sku=kettle", 200),
        ("xSku=kettle", 200),
        ("Sku=kettle x", 200),
        ("sku=kettle", 200),
    ],
)
def test_an_item_in_a_cookie_is_seen_as_the_gate_sees_it(front: Front, cookies: str, status: int) -> None:
    front.mark("sold_out")
    assert front.buy("/cookie", Cookie=cookies).status == status


def test_a_fixed_item_is_seen_on_its_host_only(front: Front) -> None:
    front.mark("closed", name="teapot")
    told = front.buy("http://VIP.test:81/landing/teapot")
    assert (told.status, json.loads(told.body)["verdict"]) == (409, "closed")
    assert front.buy("/landing/teapot").body == SIDECAR


@pytest.mark.parametrize("query", ["route=a/b+c", "x=1&route=a%2fb%20c"])
def test_an_item_in_the_body_is_answered_for_once_all_are_gone(front: Front, query: str) -> None:
    front.mark("sold_out")
    assert front.buy(f"/cart?{query}").body == SIDECAR
    front.mark_all("sold_out")
    told = front.buy(f"/cart?{query}")
    assert (told.status, json.loads(told.body)["detail"]) == (409, "nothing that is on sale here has a unit left")
    assert front.buy("/cart?route=a/b").body == SIDECAR
    assert front.buy(f"/cart?{query}", Idempotency_Key="k").body == SIDECAR


@pytest.mark.parametrize("path", ["/action", "/api"])
def test_where_nginx_cannot_tell_purchases_or_their_keys_it_never_answers(front: Front, path: str) -> None:
    front.mark_all("sold_out")
    assert front.buy(path).body == SIDECAR


# -- pace ------------------------------------------------------------------------------------------


def test_who_waited_for_a_turn_asks_the_shield_again(tmp_path: Path) -> None:
    """The first request sells the last unit; of those that came with it only few reach the sidecar."""
    fronts: list[Front] = []

    def sells_out(_: Request) -> bytes:
        fronts[0].mark("sold_out")
        return reply(200, SIDECAR)

    with site(tmp_path, sidecar=sells_out, nginx={"pace": "2/s burst 100"}) as front, ThreadPoolExecutor(6) as pool:
        fronts.append(front)
        told = list(pool.map(lambda _: front.buy(), range(6)))
        asked = len(front.sidecar.requests)
    assert sorted(answer.status for answer in told) == [200] * asked + [409] * (6 - asked)
    assert asked < 6


def test_the_first_of_a_rush_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """The sidecar answers the first four once all of them have come; the others find the marker at their turn."""
    fronts: list[Front] = []
    all_there = Barrier(4, lambda: fronts[0].mark("sold_out"))

    def sells_out(_: Request) -> bytes:
        all_there.wait(timeout=30)
        return reply(200, SIDECAR)

    pace = {"pace": "2/s burst 100", "first": 4}
    with site(tmp_path, sidecar=sells_out, nginx=pace) as front, ThreadPoolExecutor(6) as pool:
        fronts.append(front)
        told = list(pool.map(lambda _: front.buy(), range(6)))
    assert sorted(answer.status for answer in told) == [200] * 4 + [409] * 2


@pytest.mark.parametrize(("folders", "seconds"), [(["not_open"], "1"), (["not_open", "opens_in_60"], "60")])
def test_who_waited_for_a_turn_in_vain_is_told_when_to_come_back(
    tmp_path: Path, folders: list[str], seconds: str
) -> None:
    """The item was closed to buyers again while they waited: somebody has put its opening off."""
    fronts: list[Front] = []

    def puts_it_off(_: Request) -> bytes:
        fronts[0].mark(*folders)
        return reply(200, SIDECAR)

    with site(tmp_path, sidecar=puts_it_off, nginx={"pace": "2/s burst 100"}) as front, ThreadPoolExecutor(4) as pool:
        fronts.append(front)
        told = [answer for answer in pool.map(lambda _: front.buy(), range(4)) if answer.body != SIDECAR]
    assert {(answer.status, answer.header("retry-after")) for answer in told} == {(409, seconds)}


def test_the_next_answer_after_a_marker_went_is_the_gates(front: Front) -> None:
    for _ in range(50):
        front.mark("sold_out")
        assert front.buy().status == 409
        front.mark()
        assert front.buy().body == SIDECAR
    eventually(lambda: front.buy().body == SIDECAR)
