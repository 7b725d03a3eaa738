"""How a watched answer of a wrapped application is taken: by its final status, and told once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from settle_site import Shop

from seckill_sidecar.model import Order, State

Start = Callable[..., Any]

pytestmark = pytest.mark.gevent_too


class Client:
    """Calls the gate around an application as a server does."""

    def __init__(self, shop: Shop, application: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._gate = shop.site.middleware(application)
        self.status = ""

    def cancel(self, order: Order) -> Iterable[bytes]:
        environ: dict[str, Any] = {"PATH_INFO": f"/my/{order.id}/cancel", "QUERY_STRING": ""}
        setup_testing_defaults(environ)
        return self._gate(environ, self._start)

    def _start(self, status: str, *_: Any) -> Callable[[bytes], None]:
        self.status = status
        return lambda piece: None


def finish(body: Iterable[bytes]) -> bytes:
    """Read to the end and close, as a server does."""
    whole = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return whole


def test_a_list_of_nothing_is_an_answer(shop: Shop) -> None:
    def empty(_: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("204 No Content", [])
        return []

    order = shop.order()
    assert finish(Client(shop, empty).cancel(order)) == b""
    assert shop.state(order) is State.CANCELLED


def test_a_generator_that_begins_late_is_an_answer(shop: Shop) -> None:
    def lazy(_: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b""
        yield b"done"

    order = shop.order()
    assert finish(Client(shop, lazy).cancel(order)) == b"done"
    assert shop.state(order) is State.CANCELLED


def test_it_is_settled_before_the_first_byte_reaches_the_buyer(shop: Shop) -> None:
    def streaming(_: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"first"
        yield b"second"

    order = shop.order()
    body = iter(Client(shop, streaming).cancel(order))
    assert next(body) == b"first"
    assert shop.state(order) is State.CANCELLED


def test_an_answer_that_is_replaced_counts_as_what_it_became(shop: Shop) -> None:
    def changes_its_mind(_: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b""
        start("500 Sorry", [], (ValueError, ValueError(), None))
        yield b"sorry"

    order = shop.order()
    client = Client(shop, changes_its_mind)
    assert finish(client.cancel(order)) == b"sorry"
    assert (client.status, shop.state(order)) == ("500 Sorry", State.HELD)


def test_an_answer_that_breaks_off_before_its_first_byte_settles_nothing(shop: Shop) -> None:
    def breaks(_: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b""
        raise ValueError("the site's own fault")

    order = shop.order()
    body = Client(shop, breaks).cancel(order)
    with pytest.raises(ValueError, match="own fault"):
        finish(body)
    body.close()  # type: ignore[attr-defined]
    assert shop.state(order) is State.HELD


def test_a_buyer_who_hangs_up_changes_nothing_of_what_the_site_said(shop: Shop) -> None:
    def answers(_: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return [b"done"]

    order = shop.order()
    Client(shop, answers).cancel(order).close()  # type: ignore[attr-defined]
    assert shop.state(order) is State.CANCELLED


def test_the_old_way_of_writing_is_an_answer_too(shop: Shop) -> None:
    def writes(_: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [])(b"done")
        return []

    order = shop.order()
    finish(Client(shop, writes).cancel(order))
    assert shop.state(order) is State.CANCELLED


def test_a_watched_answer_keeps_to_wsgi(shop: Shop) -> None:
    def answers(_: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    order = shop.order()
    gate = validator(shop.site.middleware(validator(answers)))
    environ: dict[str, Any] = {"PATH_INFO": f"/my/{order.id}/cancel", "QUERY_STRING": "", "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    assert finish(gate(environ, lambda status, headers, info=None: lambda piece: None)) == b"done"
    assert shop.state(order) is State.CANCELLED
