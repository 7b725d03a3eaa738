"""The player sends every attempt once, and records what was really answered."""

from __future__ import annotations

from contextlib import closing

import pytest
from demo.line import BrokenLine, Line
from demo.plan import SKU, Attempt, Plan, crowd
from demo.play import Sale, Told
from stack.scripted import Answering, Request, answering, page, problem, reply

ORDER = f"{SKU}~01ARZ3NDEKTSV4RRFFQ69G5FAV"


def play(answer: Answering, attempts: int = 1, connections: int = 1) -> list[Told]:
    crowd_of = [Attempt(no, f"buyer-{no}", f"key-{no}") for no in range(attempts)]
    with answering(answer) as server:
        sale = Sale(server.address, lambda buyer: f"seckill_buyer={buyer}")
        sale.play(crowd_of, connections, lambda _: None)
    return sale.told


def test_every_attempt_is_sent_once_and_answered() -> None:
    plan = Plan(requests=300, buyers=30)
    with answering(lambda _: problem(409, verdict="sold_out")) as server:
        sale = Sale(server.address, lambda buyer: f"seckill_buyer={buyer}")
        sale.play(crowd(plan), 8, lambda _: None)
    assert sorted(told.attempt.no for told in sale.told) == list(range(300))
    assert len(server.requests) == 300
    assert sale.tally == {"sold_out": 300}


def test_a_request_carries_the_form_the_buyer_and_the_key() -> None:
    with answering(lambda _: page(ORDER)) as server:
        Sale(server.address, lambda buyer: f"seckill_buyer={buyer}").play([Attempt(0, "ann", "k")], 1, lambda _: None)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", f"/buy/{SKU}", b"quantity=1")
    assert (request.headers["cookie"], request.headers["idempotency-key"]) == ("seckill_buyer=ann", "k")


def test_the_shops_page_is_read_as_an_order() -> None:
    (told,) = play(lambda _: page(ORDER))
    assert (told.answer.verdict, told.answer.order, told.answer.source) == ("accepted", ORDER, "shop")


def test_the_gates_own_answer_is_read_as_an_order() -> None:
    body = f'{{"verdict": "replayed", "order": "{ORDER}"}}'.encode()
    (told,) = play(lambda _: reply(200, body, "application/json"))
    assert (told.answer.verdict, told.answer.order, told.answer.source) == ("replayed", ORDER, "gate")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        reply(200, b"<p>thank you</p>", "text/html"),
        reply(502, b"<h1>Bad Gateway</h1>", "text/html"),
        reply(403, b"<p>unsigned</p>", "text/html"),
        problem(503, title="no verdict"),
        problem(409, verdict="accepted"),
        reply(409, b"{", "application/problem+json"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort",
        b"not http\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_answer_that_can_not_be_true_is_a_fault(raw: bytes | None) -> None:
    (told,) = play(lambda _: raw)
    assert told.answer.fault
    assert not told.answer.won


def test_after_a_broken_connection_the_next_buyer_gets_a_new_one() -> None:
    answers = iter([None, page(ORDER)])
    first, second = play(lambda _: next(answers), attempts=2)
    assert first.answer.fault
    assert second.answer.order == ORDER


def unknown_then(*polls: bytes) -> Answering:
    waiting = iter(polls)

    def answer(request: Request) -> bytes:
        if request.method == "POST":
            return problem(503, verdict="unavailable", order=ORDER, poll=f"/seckill/orders/{ORDER}")
        assert request.path == f"/seckill/orders/{ORDER}"
        assert request.headers["cookie"] == "seckill_buyer=buyer-0"
        return next(waiting)

    return answer


def test_an_unknown_outcome_is_polled_until_the_order_is_found() -> None:
    still = problem(503, verdict="unavailable")
    found = reply(200, f'{{"order": "{ORDER}", "state": "held"}}'.encode(), "application/json")
    (told,) = play(unknown_then(still, still, found))
    assert (told.answer.order, told.polled) == (ORDER, True)


def test_an_unknown_outcome_may_turn_out_as_no_order() -> None:
    (told,) = play(unknown_then(problem(404, title="no such order")))
    assert (told.answer.verdict, told.answer.won, told.answer.fault) == ("unavailable", False, "")


def test_chunked_answers_and_interim_ones_are_read() -> None:
    raw = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: 1\r\n\r\n"
    )
    with answering(lambda _: raw) as server, closing(Line(server.address)) as line:
        assert [line.ask("GET", "/").body for _ in range(2)] == [b"Wikipedia", b"Wikipedia"]


def test_nobody_at_the_address_is_a_broken_line() -> None:
    with answering(lambda _: b"") as server:
        address = server.address
    with pytest.raises(BrokenLine):
        Line(address).ask("GET", "/")
