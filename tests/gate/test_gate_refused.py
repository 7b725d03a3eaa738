"""What a buyer is told who gets nothing: status, problem or page, and when to come back."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from gate_client import Answer, ask
from gate_site import Shop, all_at_once

from seckill_sidecar.gate.reply import VERDICTS
from seckill_sidecar.model import Verdict

HOUR_MS = 3_600_000
PAGE = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


def now_ms() -> int:
    return int(time.time() * 1000)


def expect_refused(answer: Answer, verdict: Verdict, **more: Any) -> None:
    """A problem as RFC 9457 has it, by the table of verdicts."""
    status, title = VERDICTS[verdict]
    assert answer.status == status
    assert answer.value("Content-Type") == "application/problem+json"
    assert answer.value("Cache-Control") == "no-store"
    problem = answer.json
    assert (problem["status"], problem["title"], problem["verdict"]) == (status, title, verdict.value)
    assert problem["type"] == f"urn:seckill:verdict:{verdict.value}"
    assert problem["detail"]
    assert {name: problem[name] for name in more} == more


def test_sold_out(shop: Shop) -> None:
    sku = shop.open_sale(total=1)
    assert shop.buy(sku).status == 201
    answer = shop.buy(sku, quantity=1)
    expect_refused(answer, Verdict.SOLD_OUT)
    assert not answer.values("Retry-After")
    assert "available" not in answer.json


def test_fewer_left_than_asked_for_says_how_many(shop: Shop) -> None:
    sku = shop.open_sale(total=3)
    expect_refused(shop.buy(sku, quantity=4, path="/buy/{sku}"), Verdict.SOLD_OUT, available=3)
    assert shop.buy(sku, quantity=3, path="/buy/{sku}").status == 201


def test_limit_reached(shop: Shop) -> None:
    sku = shop.open_sale(per_buyer=1)
    assert shop.buy(sku, "alice").status == 201
    expect_refused(shop.buy(sku, "alice"), Verdict.LIMIT_REACHED)
    assert shop.view(sku).held == 1


def test_not_open_says_when_to_come_back(shop: Shop) -> None:
    sku = shop.open_sale(opens_at_ms=now_ms() + HOUR_MS)
    answer = shop.buy(sku)
    expect_refused(answer, Verdict.NOT_OPEN)
    assert 3590 <= int(answer.value("Retry-After")) == answer.json["retry_after"] <= 3600


def test_closed(shop: Shop) -> None:
    over = shop.open_sale(opens_at_ms=1, closes_at_ms=now_ms() - 1000)
    expect_refused(shop.buy(over), Verdict.CLOSED)
    by_hand = shop.open_sale()
    shop.ledger.switch(by_hand, "closed", shop.deadline())
    expect_refused(shop.buy(by_hand), Verdict.CLOSED)


def test_unknown_item(shop: Shop) -> None:
    expect_refused(shop.buy("nobody-loaded-this"), Verdict.UNKNOWN_ITEM)


def test_a_paused_item_is_unavailable_for_a_moment(shop: Shop) -> None:
    sku = shop.open_sale()
    shop.ledger.switch(sku, "paused", shop.deadline())
    answer = shop.buy(sku)
    expect_refused(answer, Verdict.UNAVAILABLE)
    assert int(answer.value("Retry-After")) >= 1
    assert shop.orders(sku) == []


def test_unidentified(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_refused(ask(shop.address, f"/plain/{sku}"), Verdict.UNIDENTIFIED)
    assert shop.orders(sku) == []


def test_a_browser_gets_a_page_that_says_the_same(shop: Shop) -> None:
    sku = shop.open_sale(total=1)
    assert shop.buy(sku).status == 201
    answer = shop.buy(sku, None, PAGE)
    assert (answer.status, answer.value("Content-Type")) == (409, "text/html; charset=utf-8")
    assert VERDICTS[Verdict.SOLD_OUT][1] in answer.text
    assert answer.value("Cache-Control") == "no-store"


def test_a_page_repeats_nothing_that_a_client_could_make_it_run(shop: Shop) -> None:
    answer = ask(shop.address, "/plain/%3Cscript%3E", "X-User: alice", PAGE)
    assert answer.status == 400
    assert "<script>" not in answer.text


@pytest.mark.parametrize("accept", ["application/json, text/html", "*/*", "application/problem+json", "text/plain"])
def test_a_program_gets_a_problem(shop: Shop, accept: str) -> None:
    expect_refused(shop.buy("unknown", None, f"Accept: {accept}"), Verdict.UNKNOWN_ITEM)


# -- rates ---------------------------------------------------------------------------------------------


def fields_of(item: str) -> tuple[str, dict[str, int]]:
    """One structured field item (RFC 9651): a quoted string with integer parameters."""
    match = re.fullmatch(r'"([a-z]+)"((?:;[a-z]+=[0-9]+)*)', item)
    assert match, item
    return match[1], {name: int(value) for name, value in re.findall(r";([a-z]+)=([0-9]+)", match[2])}


def expect_rate_fields(answer: Answer, policy: str, quota: int, window: int) -> None:
    """The fields of draft-ietf-httpapi-ratelimit-headers."""
    expect_refused(answer, Verdict.RATE_LIMITED)
    assert fields_of(answer.value("RateLimit-Policy")) == (policy, {"q": quota, "w": window})
    name, state = fields_of(answer.value("RateLimit"))
    assert (name, state["r"]) == (policy, 0)
    assert 1 <= state["t"] <= window
    assert int(answer.value("Retry-After")) == state["t"] == answer.json["retry_after"]


def test_a_buyer_who_comes_too_often_is_told_the_rate(shop: Shop) -> None:
    sku = shop.open_sale(total=100)
    assert {shop.buy(sku, "hasty").status for _ in range(6)} == {201}
    expect_rate_fields(shop.buy(sku, "hasty"), "buyer", quota=6, window=60)
    assert shop.buy(sku, "patient").status == 201
    assert shop.view(sku).held == 7


def test_an_address_that_comes_too_often_is_told_the_rate(shop: Shop) -> None:
    sku = shop.open_sale(total=100)
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"]
    calls = [
        lambda no=no: shop.buy(sku, f"b{no}", f"X-Real-IP: {addresses[no % 2]}") for no in range(30)
    ]  # one household: both are of the same /64
    assert {answer.status for answer in all_at_once(calls)} == {201}
    expect_rate_fields(shop.buy(sku, "b99", f"X-Real-IP: {addresses[0]}"), "address", quota=30, window=60)
    assert shop.buy(sku, "b99", "X-Real-IP: 2001:db8:1:3::1").status == 201
