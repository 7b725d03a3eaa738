"""The script in a real browser, before a shop that answers as it is told."""

from __future__ import annotations

import json

import pytest
from browser_words import CHALLENGES, HTML, Buyer, Till, accepted, refused, said
from stack import eventually
from stack.scripted import reply

CUT = b"HTTP/1.1 201 As Told\r\nContent-Length: 500\r\nConnection: close\r\n\r\nhalf"


def sse(**members: object) -> bytes:
    event = f"event: order\ndata: {json.dumps(members)}\n\n"
    return reply(200, event.encode(), "text/event-stream")


def test_a_purchase_waits_in_line_and_is_won(till: Till, buyer: Buyer) -> None:
    till.at["/events"] = [sse(order="kettle~1", state="paid", written=True)]
    buyer.come(till.url)
    buyer.hears("sent", "accepted", "order")
    buyer.click()
    buyer.sees("You are in line")
    assert buyer.button.is_disabled()
    buyer.shoot("script-in-line")
    till.answers.put(accepted(events="/events"))
    buyer.sees("Order kettle~1 is paid.")
    assert [name for name, _ in buyer.heard()] == ["sent", "accepted", "order"]
    (asked,) = till.bought
    assert asked.body == b"quantity=1&csrf=1&now=yes"
    assert asked.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert asked.headers["accept"].startswith("application/json")


def test_events_that_have_told_all_are_not_opened_again(till: Till, buyer: Buyer) -> None:
    event = (
        f"retry: 50\n\nevent: order\ndata: {json.dumps({'order': 'kettle~1', 'state': 'held', 'written': True})}\n\n"
    )
    till.at["/events"] = [reply(200, event.encode(), "text/event-stream")]
    till.at["/poll"] = [said(200, order="kettle~1", state="paid", written=True)]
    buyer.page.clock.install()
    buyer.come(till.url)
    buyer.hears("order")
    till.answers.put(accepted(events="/events", poll="/poll"))
    buyer.click()
    buyer.page.wait_for_function("window.heard.length > 0")
    buyer.page.wait_for_timeout(500)
    assert len(buyer.heard()) == 1
    buyer.page.clock.run_for(31_000)  # what comes then is the buyer's own doing, and looked for now and then
    buyer.sees("Order kettle~1 is paid.")


def test_without_events_the_order_is_asked_for_when_the_server_says(till: Till, buyer: Buyer) -> None:
    held = said(200, order="kettle~1", state="held", poll_after_ms=40)
    till.at["/poll"] = [
        reply(503, b"", "text/plain", "Retry-After: 1"),
        held,
        said(200, order="kettle~1", state="paid"),
    ]
    buyer.come(till.url)
    till.answers.put(accepted(poll="/poll", poll_after_ms=40))
    buyer.click()
    buyer.sees("It is yours! Order kettle~1.")
    buyer.shoot("script-accepted")
    buyer.sees("Order kettle~1 is paid.")


def test_where_events_end_polling_goes_on(till: Till, buyer: Buyer) -> None:
    till.at |= {"/events": [reply(404, b"")], "/poll": [said(200, order="kettle~1", state="expired")]}
    buyer.come(till.url)
    till.answers.put(accepted(events="/events", poll="/poll"))
    buyer.click()
    buyer.sees("was not paid in time")
    assert buyer.button.is_enabled()


def test_a_double_click_buys_once(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    buyer.button.dblclick()
    buyer.page.evaluate("document.forms[0].requestSubmit()")
    till.answers.put(refused(409, "sold_out"))
    buyer.sees("Sold out.")
    assert len(till.bought) == 1
    assert buyer.button.is_enabled()


def test_a_cut_in_between_sends_the_same_purchase_again(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(CUT)  # Chromium itself sends again what was hung up on without a word
    buyer.click()
    buyer.sees("you will not buy twice")
    buyer.shoot("script-cut")
    till.answers.put(accepted())
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 1
    assert till.tries() == ["first", "again"]


def test_a_reload_sends_the_same_purchase_again(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    buyer.click()
    buyer.sees("Sending")
    buyer.page.reload()
    buyer.click()
    till.answers.put(accepted())
    till.answers.put(accepted())
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 1
    assert till.tries() == ["first", "again"]
    assert till.bought[0].body != till.bought[1].body  # what the shop makes anew for each page tells nothing


def test_after_an_answer_the_next_purchase_is_another(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    for _ in range(2):
        till.answers.put(refused(409, "sold_out"))
        buyer.click()
        buyer.sees("Sold out.")
        buyer.page.reload()
    assert len(set(till.keys())) == 2
    assert till.tries() == ["first", "first"]


def test_who_is_too_early_sees_the_time_run_down(till: Till, buyer: Buyer) -> None:
    buyer.page.clock.install(time=0)
    buyer.come(till.url)
    buyer.page.clock.pause_at(86_400)
    till.answers.put(refused(409, "not_open", wait=3725))
    buyer.click()
    buyer.sees("The sale has not begun. You can try again in 1:02:05.")
    buyer.shoot("script-not-open")
    buyer.page.clock.run_for(65_000)
    buyer.sees("You can try again in 1:01:00.")
    assert buyer.button.is_disabled()
    assert buyer.page.get_by_role("timer").count() == 1  # quiet: within a live region, a timer is not read out
    buyer.page.clock.fast_forward(3_700_000)
    buyer.page.clock.run_for(2_000)
    buyer.sees("You can try again now.")
    assert buyer.button.is_enabled()
    assert len(till.bought) == 1


def test_a_shop_may_have_it_sent_when_the_time_has_come(till: Till, buyer: Buyer) -> None:
    till.attributes = "data-seckill-auto"
    buyer.come(till.url)
    till.answers.put(refused(409, "not_open", wait=1))
    till.answers.put(accepted())
    buyer.click()
    buyer.sees("It is yours!")
    assert till.tries() == ["first", "first"]


def test_it_is_sent_by_itself_however_long_that_takes(till: Till, buyer: Buyer) -> None:
    till.attributes = "data-seckill-auto"
    buyer.page.clock.install(time=0)
    buyer.come(till.url)
    till.answers.put(refused(409, "not_open", wait=3600))
    till.answers.put(accepted())
    buyer.click()
    buyer.sees("The sale has not begun.")
    buyer.page.clock.fast_forward(3_601_000)
    buyer.page.clock.run_for(1_000)
    buyer.sees("It is yours!")


@pytest.mark.parametrize(("status", "verdict"), [(429, "rate_limited"), (503, "unavailable")])
def test_who_has_to_wait_is_sent_again_at_the_named_time(till: Till, buyer: Buyer, status: int, verdict: str) -> None:
    buyer.come(till.url)
    till.answers.put(refused(status, verdict, wait=1))
    till.answers.put(accepted())
    buyer.click()
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 1
    assert till.tries() == ["first", "first"]  # it bought nothing, so nginx may still answer it


def test_what_may_have_bought_is_never_a_first_try_again(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(refused(503, "unavailable", wait=1, outcome="unknown"))
    till.answers.put(said(200, verdict="replayed", order="kettle~1", state="held"))
    buyer.click()
    buyer.sees("you will not buy twice")
    buyer.sees("You have this order already")
    assert len(set(till.keys())) == 1
    assert till.tries() == ["first", "again"]


def test_who_has_to_sign_in_meanwhile_asks_for_the_same_purchase(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(CUT)
    till.answers.put(refused(401, "unidentified"))
    till.answers.put(accepted())
    buyer.click()
    buyer.sees("Sign in to buy.")
    buyer.page.reload()
    buyer.click()
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 1


def test_who_was_refused_for_five_minutes_is_not_left_in_doubt(till: Till, buyer: Buyer) -> None:
    buyer.page.clock.install(time=0)
    buyer.come(till.url)
    till.answers.put(refused(429, "rate_limited", wait=300))
    buyer.click()
    buyer.sees("Too many tries.")
    buyer.page.clock.fast_forward(301_000)
    buyer.page.clock.run_for(1_000)
    buyer.sees("It did not go through. You can try again.")


def test_two_forms_never_take_each_others_key(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    buyer.page.evaluate(
        """() => { const other = document.forms[0].cloneNode(true); other.elements.csrf.value = 'other';
           document.forms[0].after(other); }"""
    )
    first, second = buyer.button.first, buyer.button.last
    till.answers.put(CUT)
    first.click()
    buyer.status.first.filter(has_text="you will not buy twice").wait_for()
    till.answers.put(refused(409, "sold_out"))
    till.answers.put(accepted())
    second.click()
    buyer.sees("It is yours!")
    buyer.sees("Sold out.")
    by_form = {request.body: set[str]() for request in till.bought}
    for request in till.bought:
        by_form[request.body].add(request.headers["idempotency-key"])
    assert [len(keys) for keys in by_form.values()] == [1, 1]
    assert not set.intersection(*by_form.values())


def test_a_purchase_under_way_keeps_its_key_whatever_is_kept(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(CUT)
    buyer.click()
    buyer.sees("you will not buy twice")
    buyer.page.evaluate("sessionStorage.clear()")
    buyer.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert buyer.button.is_disabled()
    till.answers.put(accepted())
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 1


@pytest.mark.parametrize(
    ("verdict", "words"), [("not_eligible", "invited"), ("not_admitted", "admission"), ("challenged", "no robot")]
)
def test_who_may_not_buy_is_told_why(till: Till, buyer: Buyer, verdict: str, words: str) -> None:
    buyer.come(till.url)
    till.answers.put(refused(403, verdict))
    buyer.click()
    buyer.sees(words)


def test_what_nobody_knows_yet_is_asked_for(till: Till, buyer: Buyer) -> None:
    till.at["/poll"] = [reply(503, b"", "text/plain", "Retry-After: 1"), said(200, order="kettle~1", state="held")]
    buyer.come(till.url)
    till.answers.put(refused(503, "unavailable", wait=1, order="kettle~1", poll="/poll"))
    buyer.click()
    buyer.sees("you need not buy again")
    buyer.sees("It is yours! Order kettle~1.")
    assert len(till.bought) == 1


def test_what_did_not_go_through_is_said_to_have_failed(till: Till, buyer: Buyer) -> None:
    till.at["/poll"] = [reply(404, b"{}", "application/problem+json")]
    buyer.come(till.url)
    till.answers.put(refused(503, "unavailable", wait=1, order="kettle~1", poll="/poll"))
    buyer.click()
    buyer.sees("It did not go through. You can try again.")


def test_what_is_not_known_is_never_said_to_have_failed(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(refused(503, "unavailable"))
    buyer.click()
    buyer.sees("Look at your orders before you try again.")


def test_a_key_of_another_purchase_is_changed(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(refused(422, "conflict"))
    till.answers.put(accepted())
    buyer.click()
    buyer.sees("It is yours!")
    assert len(set(till.keys())) == 2


def test_who_is_not_known_is_shown_where_to_sign_in(till: Till, buyer: Buyer) -> None:
    till.attributes = 'data-seckill-login="/login"'
    buyer.come(till.url)
    till.answers.put(refused(401, "unidentified"))
    buyer.click()
    buyer.sees("Sign in to buy.")
    assert buyer.page.get_by_role("link", name="Sign in to buy.").get_attribute("href") == "/login"


def test_the_shops_own_answer_takes_the_place_of_the_page(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    till.answers.put(reply(200, b"<!doctype html><title>Won</title><h1>Thank you</h1>", HTML))
    buyer.click()
    buyer.reads("Thank you")
    assert buyer.page.title() == "Won"
    assert buyer.page.locator("form").count() == 0


def test_where_the_shop_sends_its_buyer_the_browser_goes(till: Till, buyer: Buyer) -> None:
    till.at["/thanks"] = [reply(200, b"<!doctype html><h1>Thank you</h1>", HTML)]
    buyer.come(till.url)
    till.answers.put(reply(303, b"", "text/plain", "Location: /thanks?order=1"))
    buyer.click()
    buyer.page.wait_for_url("**/thanks?order=1")
    buyer.reads("Thank you")


def test_a_page_may_show_an_answer_by_itself(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    buyer.page.evaluate("document.addEventListener('seckill:page', event => event.preventDefault())")
    till.answers.put(reply(200, b"<!doctype html><h1>Thank you</h1>", HTML))
    buyer.click()
    buyer.page.wait_for_function("document.forms[0].getAttribute('aria-busy') === 'false'")
    assert buyer.button.is_enabled()


def test_it_speaks_the_language_of_the_page(till: Till, buyer: Buyer) -> None:
    till.lang = "zh-CN"
    buyer.come(till.url)
    till.answers.put(refused(409, "sold_out"))
    buyer.click()
    buyer.sees("已售罄。")
    buyer.shoot("script-chinese")


def test_a_page_may_use_words_of_its_own_which_are_never_markup(till: Till, buyer: Buyer) -> None:
    till.attributes = 'data-seckill-sold-out="&lt;b>Gone!&lt;/b>"'
    buyer.come(till.url)
    till.answers.put(refused(409, "sold_out"))
    buyer.click()
    buyer.sees("<b>Gone!</b>")


def test_it_is_said_to_those_who_listen(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    region = buyer.status
    assert region.get_attribute("aria-live") == "polite"  # there before anything is said, or it would not be read
    assert region.text_content() == ""
    assert buyer.page.get_by_label("How many?").count() == 1
    till.answers.put(refused(409, "limit_reached"))
    buyer.page.get_by_label("How many?").press("Enter")  # without a mouse
    buyer.sees("as many as one buyer may have")
    assert buyer.page.locator("form").get_attribute("aria-busy") == "false"


def test_who_was_refused_gets_another_challenge(till: Till, buyer: Buyer) -> None:
    fields = {"solution": "shown", "challenge": "asked"}
    pictures = [said(200, kind="image", image="data:,", challenge=f"no-{no}", fields=fields) for no in (1, 2)]
    till.at |= {"/challenge": list(pictures), "/challenges.js": [reply(200, CHALLENGES, "text/javascript")]}
    buyer.come(till.url)
    buyer.page.evaluate(
        """() => { const place = document.createElement('div'); place.dataset.seckillChallenge = '/challenge';
           document.forms[0].append(place); }"""
    )
    buyer.page.add_script_tag(url="/challenges.js")
    for no in (1, 2):
        buyer.page.locator(f"input[name=asked][value=no-{no}]").wait_for(state="attached")
        buyer.page.get_by_label("What does the picture show?").fill("abcde")
        till.answers.put(refused(409, "sold_out"))
        buyer.click()
        buyer.page.wait_for_function(f"!document.querySelector('[value=no-{no}]') || {no} == 2")
    eventually(lambda: len(till.bought) == 2)
    assert [b"asked=no-1" in till.bought[0].body, b"asked=no-2" in till.bought[1].body] == [True, True]


def test_a_form_for_another_site_is_left_to_the_browser(till: Till, buyer: Buyer) -> None:
    buyer.come(till.url)
    with_script = buyer.page.evaluate(
        """() => { const form = document.forms[0]; form.action = 'http://else.test/buy'; let left;
           form.addEventListener('submit', event => setTimeout(() => { left = !event.defaultPrevented; }));
           document.addEventListener('submit', event => { left = !event.defaultPrevented; event.preventDefault(); });
           form.requestSubmit(); return left; }"""
    )
    assert with_script is True
    assert till.bought == []
