"""A route in shadow before the demo's shop: the shop serves everybody, and the log says what would have been."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from http.client import HTTPConnection

from canary_site import FORM, SKU, CanarySite, NewSite, is_the_shops
from demo.plan import Plan, crowd
from stack import Redis

PLAN = Plan(requests=160, buyers=30, stock=12, connections=1, seed=4711)


def verdicts(site: CanarySite) -> list[tuple[str, str]]:
    """What was decided, one request after the other: verdict and route."""
    return [(line["verdict"], line["route"]) for line in site.decisions()]


def test_would_be_verdicts_are_those_of_an_enforced_run_and_the_shop_serves_everybody(new_real_site: NewSite) -> None:
    enforced = new_real_site().start()
    enforced.load(PLAN.stock)
    told = enforced.play(crowd(PLAN))
    enforced.sidecar.stop()
    shadow = new_real_site().start(mode="shadow")
    shadow.load(PLAN.stock)
    served = shadow.play(crowd(PLAN))

    assert {(one.answer.verdict, one.answer.source) for one in served} == {("accepted", "shop")}
    assert verdicts(shadow) == verdicts(enforced)
    assert [one.answer.verdict for one in told] == [verdict for verdict, _ in verdicts(shadow)]
    assert set(Counter(verdicts(shadow))) >= {(word, "buy") for word in ("accepted", "sold_out", "limit_reached")}
    assert {line.get("mode") for line in shadow.decisions()} == {"shadow"}
    assert {line.get("mode") for line in enforced.decisions()} == {None}
    counted = shadow.counted("seckill_shadow_decisions_total")
    assert {verdict: n for (_, verdict), n in counted.items()} == Counter(verdict for verdict, _ in verdicts(shadow))
    assert shadow.counted("seckill_decisions_total") == {}
    shadow.expect_untouched(PLAN.stock)


def test_the_shadow_does_not_see_what_is_sold_nor_the_sale_what_the_shadow_has(new_site: NewSite) -> None:
    site = new_site().start(mode="shadow")
    site.load(total=2, per_buyer=2)
    site.buy("ann")
    site.switch("--mode", "enforce")
    site.buy("bob")
    site.switch("--mode", "shadow")
    site.buy("cid")
    site.buy("dan")
    found = [(line.get("mode"), line["verdict"]) for line in site.decisions()]
    assert found == [("shadow", "accepted"), (None, "accepted"), ("shadow", "accepted"), ("shadow", "sold_out")]
    assert (site.view().free, site.view().held) == (1, 1)


def test_what_the_gate_would_refuse_reaches_the_shop_as_it_was_sent(new_site: NewSite) -> None:
    site = new_site(limits={"body": 2048}).start(mode="shadow")
    site.load(total=5)
    large = b"quantity=1&note=" + b"x" * 4000
    assert is_the_shops(site.buy(None))  # unidentified
    assert site.buy("ann", body=b"quantity=none").status == 403  # invalid, and the shop's own opinion
    assert is_the_shops(site.buy("ann", body=large))  # too large for the gate
    assert site.buy("ann", path=f"/BUY/{SKU}").status == 404  # ambiguous, and no page of the shop's
    assert [line["verdict"] for line in site.decisions()] == ["unidentified", "invalid", "invalid", "invalid"]
    site.expect_untouched(5)


def test_a_body_in_chunks_passes_in_chunks(new_site: NewSite) -> None:
    site = new_site().start(mode="shadow")
    site.load(total=5)
    with closing(HTTPConnection(*site.sidecar.address, timeout=30)) as line:
        headers = FORM | {"Cookie": site.home.secret.cookie("ann")}
        line.request("POST", f"/buy/{SKU}", iter([b"quan", b"tity=1"]), headers, encode_chunked=True)
        answer = line.getresponse()
        assert (answer.status, b"Content-Length" in answer.read()) == (400, True)  # the old shop wants one
    assert [line["verdict"] for line in site.decisions()] == ["accepted"]


def test_a_ledger_that_is_down_keeps_nobody_from_the_shop(new_site: NewSite, redis_server: Redis) -> None:
    site = new_site(timeouts={"ledger": "300ms", "connect": "300ms"}).start(mode="shadow")
    site.load(total=50)
    assert is_the_shops(site.buy("ann"))
    redis_server.kill()
    assert all(is_the_shops(site.buy(f"buyer-{n}")) for n in range(15))
    redis_server.heal()
    redis_server.pause()
    assert all(is_the_shops(site.buy(f"buyer-{n}")) for n in range(15))
    redis_server.resume()
    assert {line["verdict"] for line in site.decisions()[1:]} == {"unavailable"}
