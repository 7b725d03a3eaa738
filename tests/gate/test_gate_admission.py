"""Admission before the rush: who gets one, what it is good for, and what is not taken for one."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from gate_client import FORM, Answer
from gate_site import SECRET, Shop, all_at_once, told

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.model import Admission
from seckill_sidecar.wire.admissions import sign_admission
from seckill_sidecar.wire.tokens import ADMISSION, BUYER, Keyring, SigningKey

MINUTE_MS = 60_000
GOOD_SECONDS = 60.0
PAGE = "Accept: text/html"


def now_ms() -> int:
    return int(time.time() * 1000)


def token_of(shop: Shop, sku: str, buyer: str = "alice") -> str:
    """What a buyer is given who asks."""
    answer = shop.ask_admission(sku, buyer)
    assert answer.status == 200, answer.text
    return str(answer.json["token"])


def made(sku: str, nonce: str = "n", seconds: float = GOOD_SECONDS, key: str = "new", secret: str = SECRET) -> str:
    """A token as a site with this key makes it."""
    keyring = Keyring([SigningKey(key, secret.encode())])
    return sign_admission(keyring, Admission("alice", sku, nonce, now_ms() + int(seconds * 1000)))


def buy(shop: Shop, sku: str, token: str, *fields: str, **request: Any) -> Answer:
    """Buy with an admission and nothing else to be known by."""
    request.setdefault("path", "/admitted/{sku}")
    return shop.buy(sku, "", f"Seckill-Admission: {token}", *fields, **request)


def expect_not_admitted(shop: Shop, sku: str, token: str) -> None:
    """Neither by a header nor at a hidden address, and nothing of it reaches the shop."""
    answer = buy(shop, sku, token)
    assert (answer.status, told(answer)) == (403, "not_admitted")
    hidden = shop.buy(sku, "alice", path=f"/hidden/{token or 'x'}/{{sku}}")
    assert (hidden.status, told(hidden)) == (404, "not_admitted")
    assert shop.seen(sku) == []
    assert shop.orders(sku) == []


# -- what it is good for


def test_an_admission_names_the_buyer_and_is_good_for_one_order(shop: Shop) -> None:
    sku = shop.open_sale()
    token = token_of(shop, sku)
    assert told(buy(shop, sku, token)) == "accepted"
    again = buy(shop, sku, token)
    assert (again.status, told(again)) == (403, "not_admitted")
    assert "used" in again.json["detail"]
    assert [order.buyer for order in shop.orders(sku)] == ["alice"]
    assert told(buy(shop, sku, token_of(shop, sku))) == "accepted"


def test_an_admission_in_a_form_or_in_the_cookie_that_came_with_it(shop: Shop) -> None:
    sku = shop.open_sale()
    given = shop.ask_admission(sku, "alice")
    form = f"admission={given.json['token']}".encode()
    assert told(shop.buy(sku, "", FORM, path="/admitted-by-form/{sku}", body=form)) == "accepted"
    name, *attributes = shop.ask_admission(sku, "alice", "X-Forwarded-Proto: https").value("Set-Cookie").split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"} < set(attributes)
    assert told(shop.buy(sku, "", f"Cookie: {name}", path="/admitted-by-cookie/{sku}")) == "accepted"
    assert len(shop.orders(sku)) == 2


def test_a_hidden_address_is_told_with_the_admission_and_passes_the_purchase_on(shop: Shop) -> None:
    sku = shop.open_sale()
    path = shop.ask_admission(sku, "alice").json["buy"]
    assert told(shop.buy(sku, "", path=path)) == "storefront"
    (seen,) = shop.seen(sku)
    assert shop.orders(sku)[0].id in str(seen)
    assert told(shop.buy(sku, "", path=path)) == "not_admitted", "it was used"
    assert len(shop.seen(sku)) == 1


def test_the_same_idempotency_key_is_answered_as_before(shop: Shop) -> None:
    sku = shop.open_sale()
    token = token_of(shop, sku)
    first, again = (buy(shop, sku, token, key="k") for _ in range(2))
    assert (told(first), told(again)) == ("accepted", "replayed")
    assert first.json["order"] == again.json["order"]


def test_what_is_refused_uses_no_admission_up(shop: Shop) -> None:
    sku = shop.open_sale(total=1)
    token = token_of(shop, sku)
    assert told(buy(shop, sku, token, quantity=2)) == "sold_out"
    assert told(buy(shop, sku, token)) == "accepted"


def test_two_purchases_that_race_with_one_admission_make_one_order(shop: Shop) -> None:
    sku = shop.open_sale()
    token = token_of(shop, sku)
    answers = all_at_once([lambda: buy(shop, sku, token)] * 5)
    assert sorted(map(told, answers)) == ["accepted", *["not_admitted"] * 4]
    assert len(shop.orders(sku)) == 1


# -- what is not taken for one


@pytest.mark.parametrize("text", ["%00", "%09", "%20", "...", ";x", ";%25", "%5c", "%3f%09", "..%09", "%ff"])
def test_whatever_stands_in_the_admissions_place_does_not_reach_the_shop(shop: Shop, text: str) -> None:
    sku = shop.open_sale()
    assert shop.buy(sku, "alice", path=f"/hidden/{text}/{{sku}}").status in (400, 404)
    assert (shop.seen(sku), shop.orders(sku)) == ([], [])


def test_no_admission(shop: Shop) -> None:
    expect_not_admitted(shop, shop.open_sale(), "")


def test_a_forged_admission(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_not_admitted(shop, sku, made(sku, secret="a secret that somebody has made up"))


def test_a_changed_admission(shop: Shop) -> None:
    sku = shop.open_sale()
    mine, of_another = made(sku).split("."), made(sku, nonce="m").split(".")
    expect_not_admitted(shop, sku, ".".join([*mine[:3], of_another[3], mine[4]]))


def test_an_expired_admission(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_not_admitted(shop, sku, made(sku, seconds=-1))


def test_an_admission_to_another_item(shop: Shop) -> None:
    sku, other = shop.open_sale(), shop.open_sale()
    expect_not_admitted(shop, sku, token_of(shop, other))


def test_another_buyers_admission_buys_for_that_buyer_only(shop: Shop) -> None:
    sku = shop.open_sale(per_buyer=1)
    token = token_of(shop, sku, "alice")
    bob = shop.buy(sku, "bob", f"Seckill-Admission: {token}", path="/admitted/{sku}")
    assert told(bob) == "accepted"
    assert [order.buyer for order in shop.orders(sku)] == ["alice"]
    assert told(buy(shop, sku, token_of(shop, sku, "alice"))) == "limit_reached"


def test_an_admission_of_a_key_that_was_rotated_out(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_not_admitted(shop, sku, made(sku, key="older", secret="the secret of the year before"))
    assert told(buy(shop, sku, made(sku, key="old", secret="the secret of last year"))) == "accepted"


@pytest.mark.parametrize("purpose", [BUYER, "probe"])
def test_a_token_of_ours_for_something_else(shop: Shop, purpose: str) -> None:
    sku = shop.open_sale()
    expect_not_admitted(shop, sku, shop.buyer_token(f"{sku}\nn\nalice", purpose=purpose))


def test_an_admission_of_another_form(shop: Shop) -> None:
    sku = shop.open_sale()
    expect_not_admitted(shop, sku, shop.buyer_token("alice", purpose=ADMISSION))


def test_an_admission_is_no_identity_elsewhere(shop: Shop) -> None:
    sku = shop.open_sale()
    answer = shop.buy(sku, "", f"Cookie: seckill_buyer={token_of(shop, sku)}", path="/signed/{sku}")
    assert (answer.status, told(answer)) == (401, "unidentified")


# -- who gets one


def test_an_admission_is_given_before_the_sale_opens(shop: Shop) -> None:
    opens_at = now_ms() + 5 * MINUTE_MS
    sku = shop.open_sale(opens_at_ms=opens_at)
    given = shop.ask_admission(sku, "alice")
    assert (given.status, given.value("Cache-Control")) == (200, "no-store")
    ends = datetime.fromisoformat(given.json["expires_at"]).timestamp()
    assert opens_at / 1000 + 299 <= ends <= opens_at / 1000 + 300
    assert told(buy(shop, sku, given.json["token"])) == "not_open"


def test_too_early_says_when_to_come_back(shop: Shop) -> None:
    sku = shop.open_sale(opens_at_ms=now_ms() + 11 * MINUTE_MS)
    answer = shop.ask_admission(sku, "alice")
    assert (answer.status, told(answer)) == (409, "not_open")
    assert 50 <= int(answer.value("Retry-After")) <= 60


def test_nobody_is_admitted_to_what_cannot_be_had(shop: Shop) -> None:
    sold, closed = shop.open_sale(total=0), shop.open_sale(closes_at_ms=now_ms() - 1)
    assert [told(shop.ask_admission(sku, "alice")) for sku in (sold, closed, "nobody-loaded-this", "-")] == [
        "sold_out", "closed", "unknown_item", "invalid",
    ]  # fmt: skip


def test_nobody_is_admitted_who_cannot_be_known(shop: Shop) -> None:
    answer = shop.ask_admission(shop.open_sale(), "")
    assert (answer.status, told(answer)) == (401, "unidentified")


def test_who_asks_too_often_is_told_so(shop: Shop) -> None:
    sku = shop.open_sale()
    answers = [shop.ask_admission(sku, "alice") for _ in range(7)]
    assert [answer.status for answer in answers] == [200] * 6 + [429]
    assert told(answers[-1]) == "rate_limited"
    assert answers[-1].value("RateLimit-Policy") == '"buyer";q=6;w=60'


def test_a_browser_is_refused_with_a_page(shop: Shop) -> None:
    answer = shop.ask_admission(shop.open_sale(total=0), "alice", PAGE)
    assert (answer.status, answer.value("Content-Type")) == (409, "text/html; charset=utf-8")


def test_only_a_post_asks(shop: Shop) -> None:
    assert shop.ask_admission(shop.open_sale(), "alice", method="GET").status == 405


def test_no_admission_outlives_its_time(shop: Shop) -> None:
    sku = shop.open_sale(closes_at_ms=now_ms() + 30_000)
    ends = datetime.fromisoformat(shop.ask_admission(sku, "alice").json["expires_at"]).timestamp()
    assert ends <= SystemClock().wall() + 30
