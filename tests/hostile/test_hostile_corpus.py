"""Thousands of hostile requests, through nginx and at the sidecar's own door: nothing breaks, and nothing is sold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import corpus_bodies
import corpus_http
import corpus_paths
import corpus_text
import pytest
from hostile_site import ROUTES, Site
from hostile_words import SKU, Address, Case, Outcome, marks_of, request, send_all
from stack.scripted import Request

from seckill_sidecar.wire.paths import Template, loosen

Front = Callable[[Site], Address]
FRONTS: dict[str, Front] = {"nginx": lambda site: site.nginx.address, "sidecar": lambda site: site.sidecar.address}
CORPUS: dict[str, Callable[[], Iterable[Case]]] = {
    "text": corpus_text.cases,
    "http": corpus_http.cases,
    "paths": corpus_paths.cases,
    "bodies": corpus_bodies.cases,
}
BROKEN = (500, 502, 503, 504)
"""501 and 505 are true: nobody here speaks that method, coding or version of HTTP."""
SOLD_AT = [
    (frozenset(route.get("methods", ["POST"])), Template(route["path"]))
    for route in ROUTES
    if not route.keys() & {"query", "form"}
]
"""Where the path alone tells that it is a purchase."""


@pytest.mark.parametrize("corpus", CORPUS)
@pytest.mark.parametrize("front", FRONTS)
def test_no_hostile_request_breaks_anything_sells_anything_or_slips_past(site: Site, front: str, corpus: str) -> None:
    processes, before = site.processes(), site.view()
    site.shop.requests.clear()
    outcomes = send_all(FRONTS[front](site), CORPUS[corpus](), site.cookie)
    assert [str(one) for one in outcomes if set(one.statuses) & set(BROKEN)] == []
    past = list(slipped_past(outcomes, site.shop.requests))
    assert past == [], "\n".join(past)
    assert site.view() == before
    assert site.processes() == processes


def test_there_are_more_than_a_thousand_of_them() -> None:
    assert sum(len(list(cases())) for cases in CORPUS.values()) > 1000


def test_who_asks_as_it_should_be_is_sold_to_by_the_same_site(site: Site) -> None:
    before = site.view().free
    asked = Case("purchase", request("POST", f"/buy/{SKU}", "Cookie: {cookie}"))
    assert [one.statuses for front in FRONTS.values() for one in send_all(front(site), [asked], site.cookie)] == [
        (200,)
    ] * 2
    assert [request.headers["x-seckill-item"] for request in site.shop.requests[-2:]] == [SKU, SKU]
    assert site.view().free == before - 2


def slipped_past(outcomes: Iterable[Outcome], seen: list[Request]) -> Iterator[str]:
    """What the storefront saw, and might have sold without our signature."""
    reached = marks_of(seen)
    for one in outcomes:
        found = reached.get(one.mark)
        if found is not None and not (one.case.may_pass and not might_be_sold(found)):
            yield str(one)


def might_be_sold(request: Request) -> bool:
    """Whether a generous storefront could take this for a purchase."""
    readings = loosen(request.path.partition("?")[0].encode("latin-1"))
    return any(request.method in methods and template.might_be(readings) for methods, template in SOLD_AT)
