"""Buyers whom the storefront knows, through a running sidecar."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from buyers_site import Answer, BuyersSite, send
from buyers_words import jwt, questions
from stack import eventually
from stack.scripted import reply


@pytest.mark.parametrize("route", ["ask", "header", "page"])
def test_who_is_signed_in_buys(site: BuyersSite, route: str) -> None:
    assert site.buyer_of(site.buy(route, Cookie=site.sign_in("alice"))) == "alice"


@pytest.mark.parametrize("route", ["ask", "header", "page"])
def test_who_is_signed_out_is_told_to_sign_in(site: BuyersSite, route: str) -> None:
    for cookie in ("PHPSESSID=unknown", site.sign_in("0"), "lang=de"):
        answer = site.buy(route, Cookie=cookie)
        assert (answer.status, answer.json["verdict"]) == (401, "unidentified")
    assert site.buy(route).status == 401


@pytest.mark.parametrize("status", [301, 302, 401, 403])
def test_what_the_site_answers_to_strangers_means_nobody(site: BuyersSite, status: int) -> None:
    site.legacy.says = lambda _: reply(status, b'{"user": {"id": "alice"}}', "application/json", "Location: /login")
    assert site.buy("ask", Cookie=site.sign_in("alice")).status == 401


def test_who_has_no_session_is_not_asked_about(site: BuyersSite) -> None:
    before = len(questions(site.storefront))
    assert site.buy("ask", Cookie="lang=de").status == 401
    assert len(questions(site.storefront)) == before


def test_a_session_that_is_named_twice_is_not_guessed_at(site: BuyersSite) -> None:
    assert site.buy("ask", Cookie=f"{site.sign_in('alice')}; PHPSESSID=x").status == 400


def test_nothing_of_the_client_but_the_session_is_sent_along(site: BuyersSite) -> None:
    session = site.sign_in("alice")
    site.buy("ask", Cookie=f"secret=s1; {session}; lang=de", Authorization="Bearer s2", X_Forwarded_For="192.0.2.1")
    asked = questions(site.storefront)[-1]
    assert (asked.method, asked.path, asked.body) == ("GET", "/whoami?json", b"")
    assert asked.headers == {
        "host": f"127.0.0.1:{site.storefront.address[1]}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "seckill-sidecar",
        "cookie": session,
    }


def test_many_purchases_of_one_session_at_once_are_asked_about_once(site: BuyersSite) -> None:
    session, sku, held = site.sign_in("alice"), site.open_sale(), Event()
    before, site.legacy.held = len(questions(site.storefront)), held
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(site.buy, "ask", sku, Cookie=session) for _ in range(6)]
        eventually(lambda: len(questions(site.storefront)) > before, what="the site is asked")
        held.set()
    assert {future.result().status for future in waiting} == {201}
    assert len(questions(site.storefront)) == before + 1


def unavailable(answer: Answer) -> bool:
    return (answer.status, answer.json["verdict"]) == (503, "unavailable") and int(answer.headers["retry-after"]) >= 1


def test_a_site_that_fails_makes_nobody_a_stranger_and_is_left_alone_for_a_while(site: BuyersSite) -> None:
    site.legacy.says = lambda _: reply(500, b"broken")
    sku = site.open_sale()
    opened = site.said().count("breaker identity: closed -> open")

    def is_open() -> bool:
        assert unavailable(site.buy("ask", sku, Cookie=site.sign_in("alice")))
        return site.said().count("breaker identity: closed -> open") > opened

    eventually(is_open, 20, "the breaker opens")
    assert site.buyer_of(site.buy("bearer", Authorization=f"Bearer {jwt()}")) == "alice"
    site.heal()
    assert "breaker identity: half-open -> closed" in site.said()


def test_a_site_that_hangs_is_not_waited_for(site: BuyersSite) -> None:
    site.legacy.held = Event()
    assert unavailable(site.buy("ask", Cookie=site.sign_in("alice")))


def test_a_site_that_has_no_such_address_makes_nobody_a_stranger(site: BuyersSite) -> None:
    site.legacy.says = lambda _: reply(404, b"no such page")
    assert unavailable(site.buy("ask", Cookie=site.sign_in("alice")))


def test_a_huge_page_is_read_as_far_as_it_is_bounded(site: BuyersSite) -> None:
    mark = b'<body data-user="alice">'
    site.legacy.says = lambda _: reply(200, mark + b" " * (1 << 20), "text/html")
    assert site.buyer_of(site.buy("page", Cookie=site.sign_in("alice"))) == "alice"
    site.legacy.says = lambda _: reply(200, b" " * (1 << 20) + mark, "text/html")
    assert site.buy("page", Cookie=site.sign_in("alice")).status == 401


def test_an_order_is_shown_to_the_buyer_whom_the_site_knows(site: BuyersSite) -> None:
    session = site.sign_in("alice")
    target = f"/seckill/orders/{site.buy('ask', Cookie=session).json['order']}"
    statuses = [
        send(site.sidecar.address, "GET", target, **headers).status
        for headers in ({"Cookie": session}, {"Cookie": site.sign_in("bob")}, {"Cookie": "PHPSESSID=x"}, {})
    ]
    assert statuses == [200, 404, 401, 401]
    site.legacy.says = lambda _: reply(503, b"busy")
    answer = send(site.sidecar.address, "GET", target, Cookie=site.sign_in("alice"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")


def test_no_session_no_token_and_no_name_is_in_the_log(site: BuyersSite) -> None:
    name, token = f"name-{secrets.token_hex(8)}", ""
    session = site.sign_in(name)
    token = jwt(sub=name, kid=name)
    for cookie in (session, f"PHPSESSID={name}"):
        site.buy("ask", Cookie=cookie)
    for value in (token, f"{token}x", jwt(sub=name, aud=name), jwt(sub=name, header={"kid": name})):
        site.buy("bearer", Authorization=f"Bearer {value}")
    site.legacy.says = lambda _: reply(500, name.encode())
    sku = site.open_sale()
    site.buy("ask", sku, Cookie=site.sign_in(name))
    eventually(lambda: "it answered 500" in site.said(), what="the failure is in the log")
    assert site.gate.keyring.pseudonym(name) in site.said()
    assert [secret for secret in (name, session.partition("=")[2], token) if secret in site.said()] == []
