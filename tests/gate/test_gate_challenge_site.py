"""Challenges on a site of two hosts, the sidecar and the middleware, which share a Redis and nothing else."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from gate_challenges import SECRET, Service, solved_work
from gate_client import FORM, JSON, Answer, ask
from gate_plugs import Gevent, Sidecar, Threads
from gate_site import SETTINGS, Shop, all_at_once, open_shop, told
from stack import Redis, eventually

PAGE = "Accept: text/html,application/xhtml+xml"
ROUTE: dict[str, Any] = {"item": {"path": "sku"}, "quantity": {"form": "quantity", "default": 1}, "on_accept": "json"}
ROUTES = [
    {"name": "worked", "path": "/worked/{sku}", "challenge": "altcha", **ROUTE},
    {"name": "pictured", "path": "/pictured/{sku}", "challenge": "image", **ROUTE},
    {"name": "turned", "path": "/turned/{sku}", "challenge": "turnstile", **ROUTE},
    {
        "name": "json",
        "path": "/api/buy",
        "item": {"json": "sku"},
        "quantity": 1,
        "on_accept": "json",
        "challenge": "altcha",
    },
    {"name": "plain", "path": "/plain/{sku}", "item": {"path": "sku"}, "on_accept": "json"},
    {"name": "rehearsed", "path": "/rehearsed/{sku}", "mode": "shadow", "challenge": "altcha", **ROUTE},
]


@dataclass
class Hosts:
    """The two, and the service that examines for both."""

    first: Shop
    second: Shop
    service: Service
    redis: Redis

    def challenge(self, route: str, buyer: str, item: str = "") -> Answer:
        query = f"?item={item}" if item else ""
        return ask(self.first.address, f"/seckill/challenges/{route}{query}", f"X-User: {buyer}", method="GET")

    def solve(self, route: str, buyer: str, item: str = "") -> dict[str, str]:
        """The fields of a form with a solution."""
        answer = self.challenge(route, buyer, item)
        assert answer.status == 200, answer
        given = answer.json
        if given["kind"] == "altcha":
            return {"altcha": solved_work(given)}
        return {"cf-turnstile-response": self.service.solve(action=given["action"], cdata=given["cdata"])}

    def buy(self, shop: Shop, path: str, buyer: str, fields: dict[str, str], *more: str, key: str = "") -> Answer:
        lines = [f"X-User: {buyer}", FORM, *more, *([f"Idempotency-Key: {key}"] if key else [])]
        return ask(shop.address, path, *lines, body=urlencode(fields).encode())


@pytest.fixture(scope="module", params=[Threads.name, Gevent.name])
def _hosts(
    request: pytest.FixtureRequest, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosts]:
    redis_server.heal()
    with ExitStack() as running:
        service = running.enter_context(Service())
        name = f"challenges-{request.param}"
        changes = {
            "stores": {
                "redis": redis_server.url,
                "broker": "none",
                "database": f"sqlite:///{tmp_path_factory.mktemp(name)}/orders.db",
            },
            "ledger": {"prefix": name},
            "routes": ROUTES,
            "limits": SETTINGS["limits"] | {"remember_sold_out": 1.0},
            "challenges": {
                "altcha": {"rounds": 100, "tries": 20, "header": "X-Altcha"},
                "image": {"pool": 4},
                "turnstile": {"url": service.url, "site_key": "public", "secret": SECRET, "timeout": "2s"},
            },
        }
        first, second = (open_shop(running, kind, changes) for kind in (request.param, Sidecar.name))
        yield Hosts(first, second, service, redis_server)


@pytest.fixture
def hosts(_hosts: Hosts, redis_server: Redis) -> Hosts:
    redis_server.heal()
    _hosts.service.trouble = ""
    return _hosts


@pytest.mark.parametrize("route", ["worked", "turned"])
def test_who_has_solved_it_buys_once_on_either_host(hosts: Hosts, route: str) -> None:
    sku, path = hosts.first.open_sale(), f"/{route}/"
    solved = hosts.solve(route, "ann", sku)
    assert told(hosts.buy(hosts.second, path + sku, "ann", solved, key=f"1-{sku}")) == "accepted"
    assert told(hosts.buy(hosts.first, path + sku, "ann", solved, key=f"1-{sku}")) == "replayed"
    for shop in (hosts.first, hosts.second):
        again = hosts.buy(shop, path + sku, "ann", solved, key=f"2-{sku}")
        assert (again.status, told(again)) == (403, "challenged")
    assert len(hosts.first.orders(sku)) == 1


def test_many_hosts_at_once_take_a_solution_for_one_purchase(hosts: Hosts) -> None:
    sku, solved = hosts.first.open_sale(), hosts.solve("worked", "ann")
    shops = (hosts.first, hosts.second)
    answers = all_at_once(
        [
            lambda shop=shop, key=key: hosts.buy(shop, f"/worked/{sku}", "ann", solved, key=f"key-{key}")  # type: ignore[misc]
            for key, shop in enumerate(shops * 6)
        ]
    )
    assert sorted(map(told, answers)) == ["accepted"] + ["challenged"] * 11
    assert len(hosts.first.orders(sku)) == 1


def test_a_program_hears_where_to_get_a_challenge_and_that_it_bought_nothing(hosts: Hosts) -> None:
    sku = hosts.first.open_sale()
    for shop in (hosts.first, hosts.second):
        answer = hosts.buy(shop, f"/worked/{sku}", "ann", {"quantity": "1"})
        assert (answer.status, answer.value("Content-Type")) == (403, "application/problem+json")
        problem = answer.json
        assert problem["type"] == "urn:seckill:verdict:challenged"
        assert problem["challenge"] == f"/seckill/challenges/worked?item={sku}"
        assert ask(shop.address, problem["challenge"], "X-User: ann", method="GET").json["kind"] == "altcha"
    assert hosts.first.orders(sku) == []


def test_a_browser_gets_a_page_that_sends_its_form_again_with_the_solution(hosts: Hosts) -> None:
    sku, old = hosts.first.open_sale(), {"altcha": "an old solution", "quantity": "2", "note": "<i>\"&'é"}
    page = hosts.buy(hosts.first, f"/worked/{sku}", "ann", old, PAGE)
    assert (page.status, page.value("Content-Type")) == (403, "text/html; charset=utf-8")
    assert f'data-seckill-challenge="/seckill/challenges/worked?item={sku}"' in page.text
    assert '<script src="/seckill/challenges.js" defer></script>' in page.text
    assert '<form method="post">' in page.text
    assert "<i>" not in page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
    again = {html.unescape(name): html.unescape(value) for name, value in hidden.items()}
    assert again == {"quantity": "2", "note": old["note"]}
    bought = hosts.buy(hosts.second, f"/worked/{sku}", "ann", again | hosts.solve("worked", "ann", sku))
    assert (told(bought), bought.json["quantity"]) == ("accepted", 2)


def test_the_script_is_served(hosts: Hosts) -> None:
    for shop in (hosts.first, hosts.second):
        script = ask(shop.address, "/seckill/challenges.js", method="GET")
        assert (script.status, script.value("Content-Type")) == (200, "text/javascript; charset=utf-8")
        assert "data-seckill-challenge" in script.text


def test_a_picture_comes_with_its_token_and_without_its_answer(hosts: Hosts) -> None:
    sku = hosts.first.open_sale()
    answer = eventually(lambda: drawn(hosts.challenge("pictured", "ann")), 30, "a picture is drawn")
    given = answer.json
    assert base64.b64decode(given["image"].partition(",")[2]).startswith(b"\x89PNG")
    assert answer.value("Cache-Control") == "no-store"
    fields = {"seckill_challenge": given["challenge"], "seckill_answer": "no-ans"}
    assert told(hosts.buy(hosts.first, f"/pictured/{sku}", "ann", fields)) == "challenged"
    assert set(given) == {"kind", "fields", "challenge", "image"}


def drawn(answer: Answer) -> Answer | None:
    assert answer.status in (200, 503)
    return answer if answer.status == 200 else None


def test_a_challenge_is_given_to_buyers_of_routes_that_have_one(hosts: Hosts) -> None:
    for path, fields, status in (
        ("worked", ["X-User: ann"], 200),
        ("worked", [], 401),
        ("plain", ["X-User: ann"], 404),
        ("nowhere", ["X-User: ann"], 404),
        ("worked?item=%2F", ["X-User: ann"], 400),
    ):
        assert ask(hosts.first.address, f"/seckill/challenges/{path}", *fields, method="GET").status == status
    assert hosts.buy(hosts.first, f"/plain/{hosts.first.open_sale()}", "ann", {}).status == 201


def test_json_and_headers_carry_solutions_too(hosts: Hosts) -> None:
    sku = hosts.first.open_sale()
    body = f'{{"sku": "{sku}", "altcha": "{hosts.solve("json", "ann")["altcha"]}"}}'.encode()
    assert told(ask(hosts.second.address, "/api/buy", "X-User: ann", JSON, body=body)) == "accepted"
    header = f"X-Altcha: {hosts.solve('worked', 'ann')['altcha']}"
    assert told(ask(hosts.second.address, f"/worked/{sku}", "X-User: ann", header)) == "accepted"


def test_who_hears_that_it_is_sold_out_needs_no_solution(hosts: Hosts) -> None:
    sku = hosts.first.open_sale(total=1)
    for buyer, verdict in (("ann", "accepted"), ("bob", "sold_out")):
        assert told(hosts.buy(hosts.first, f"/worked/{sku}", buyer, hosts.solve("worked", buyer))) == verdict
    assert told(hosts.buy(hosts.first, f"/worked/{sku}", "cid", {})) == "sold_out"


def test_a_solution_is_for_its_buyer_its_route_and_its_item(hosts: Hosts) -> None:
    sku, other = hosts.first.open_sale(), hosts.first.open_sale()
    assert told(hosts.buy(hosts.first, f"/worked/{sku}", "bob", hosts.solve("worked", "ann"))) == "challenged"
    assert told(hosts.buy(hosts.first, f"/worked/{sku}", "ann", hosts.solve("json", "ann"))) == "challenged"
    assert told(hosts.buy(hosts.first, f"/worked/{sku}", "ann", hosts.solve("worked", "ann", other))) == "challenged"


def test_in_shadow_nobody_is_asked(hosts: Hosts) -> None:
    sku = hosts.first.open_sale()
    assert told(hosts.buy(hosts.first, f"/rehearsed/{sku}", "ann", {})) == "storefront"


def test_what_cannot_be_examined_is_refused_truthfully(hosts: Hosts) -> None:
    sku, solved = hosts.first.open_sale(), hosts.solve("turned", "ann")
    hosts.service.trouble = "fails"
    for shop in (hosts.first, hosts.second):
        answer = hosts.buy(shop, f"/turned/{sku}", "ann", solved, key=f"1-{sku}")
        assert (answer.status, told(answer)) == (503, "unavailable")
        assert answer.value("Retry-After")
        assert "order" not in answer.json
    hosts.service.trouble = ""
    assert told(hosts.buy(hosts.first, f"/turned/{sku}", "ann", solved, key=f"1-{sku}")) == "accepted"


def test_without_a_ledger_a_challenge_takes_no_purchase(hosts: Hosts) -> None:
    sku, solved = hosts.first.open_sale(), hosts.solve("worked", "ann")
    hosts.redis.pause()
    answer = hosts.buy(hosts.first, f"/worked/{sku}", "ann", solved, key=f"1-{sku}")
    assert (answer.status, told(answer)) == (503, "unavailable")
    assert "order" not in answer.json
    hosts.redis.heal()
    bought = eventually(lambda: passed(hosts.buy(hosts.first, f"/worked/{sku}", "ann", solved, key=f"1-{sku}")), 20)
    assert told(bought) in ("accepted", "replayed")
    assert len(hosts.first.orders(sku)) == 1


def passed(answer: Answer) -> Answer | None:
    return None if answer.status == 503 else answer


def test_neither_solutions_nor_secrets_are_in_the_log(hosts: Hosts) -> None:
    sku, solved = hosts.first.open_sale(), hosts.solve("turned", "ann")
    hosts.buy(hosts.first, f"/turned/{sku}", "ann", solved)
    hosts.buy(hosts.first, f"/turned/{sku}", "bob", solved)
    for shop in (hosts.first, hosts.second):
        said = shop.plug.said()
        assert SECRET not in said
        assert solved["cf-turnstile-response"] not in said
    assert '"challenged"' in hosts.first.plug.said()
