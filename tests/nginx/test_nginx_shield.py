"""A marker is an answer: the right one, for the right requests, from the moment it is there until it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
    ["/buy/teapot", "/buy/Kettle", "/buy/", "/buy/kettle.x", "/buy/sold_out", "/buy/_all", "/BUY/kettle"],
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


def test_the_next_answer_after_a_marker_went_is_the_gates(front: Front) -> None:
    for _ in range(50):
        front.mark("sold_out")
        assert front.buy().status == 409
        front.mark()
        assert front.buy().body == SIDECAR
    eventually(lambda: front.buy().body == SIDECAR)
