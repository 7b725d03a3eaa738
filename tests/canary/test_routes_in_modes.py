"""Which route a request is of, when some routes are not, or not for all, the gate's to decide."""

from __future__ import annotations

import io
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from seckill_sidecar.gate.mode import ModeStage, Share, Stances
from seckill_sidecar.gate.route import Routes
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.fields import FORM
from seckill_sidecar.wire.request import Request


class Untouchable(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def post(path: str, body: bytes | None = None) -> Request:
    """A form; nobody may read it if it isn't given."""
    stream = Untouchable() if body is None else io.BytesIO(body)
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "wsgi.input": stream}
    environ |= {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": "10" if body is None else str(len(body))}
    setup_testing_defaults(environ)
    return Request(environ)


def route(name: str, mode: str, path: str = "/action", **more: Any) -> Route:
    return Route.model_validate({"name": name, "path": path, "item": "kettle", "mode": mode, **more})


def found(request: Request, *routes: Route) -> tuple[str, bool] | None:
    """The route that decides what becomes of it, and whether it is well-formed."""
    match = Routes(routes, 1024, Stances(routes).of).match(request)
    return None if match is None else (match.route.name, match.fault is None)


def test_a_route_that_is_off_reads_no_body() -> None:
    assert found(post("/buy/x"), route("buy", "off", "/buy/{sku}")) == ("buy", True)
    assert found(post("/action"), route("buy", "off", form={"do": "buy"})) is None
    assert found(post("/BUY/x"), route("buy", "off", "/buy/{sku}")) is None


def test_a_route_that_is_off_leaves_room_for_those_after_it() -> None:
    routes = route("gift", "off", form={"do": "buy"}), route("buy", "enforce")
    assert found(post("/action", b"do=buy"), *routes) == ("buy", True)


def test_nobody_buys_past_an_enforced_route_by_naming_one_that_is_off() -> None:
    routes = route("promo", "off", query={"promo": "1"}), route("buy", "enforce", query={"do": "buy"})

    def asked(query: str) -> Request:
        request = post("/action")
        request.environ["QUERY_STRING"] = query
        return Request(request.environ)

    assert found(asked("promo=1&do=buy"), *routes) == ("buy", True)
    assert found(asked("promo=1&do=sell&do=buy"), *routes) == ("buy", False)
    assert found(asked("promo=1"), *routes) == ("promo", True)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_what_might_be_of_an_enforced_route_is_refused_whatever_stands_before_it(mode: str) -> None:
    routes = route("try", mode, "/buy/{sku}"), route("buy", "enforce", "/BUY/{sku}/now")
    assert found(post("/Buy/x/now"), *routes) == ("buy", False)
    routes = route("try", mode, form={"do": "buy"}), route("buy", "enforce", form={"do": "get"})
    assert found(post("/action", b"do=get&do=buy&x=%ff"), *routes) == ("buy", False)


def test_what_might_be_of_a_route_in_shadow_is_for_its_shadow_to_refuse() -> None:
    assert found(post("/BUY/x"), route("buy", "shadow", "/buy/{sku}")) == ("buy", False)
    routes = (route("buy", "enforce", "/buy/{sku}"),)
    assert found(post("/BUY/x"), *routes) == ("buy", False)


def test_a_rehearsal_gets_the_request_and_nobody_else_does() -> None:
    rehearsed: list[Request] = []
    passed_on: list[str] = []
    routes = route("buy", "shadow", "/buy"), route("old", "off", "/old"), route("new", "enforce", "/new")

    def who(*_: object) -> str:
        raise AssertionError("nobody has to be known")

    stage = ModeStage(Stances(routes), Share(b""), who, rehearsed.append, [passed_on.append])
    told = []
    for path in ("/buy", "/old", "/new"):
        request = post(path)
        match = Routes(routes, 1024).match(request)
        assert match is not None
        told.append(stage.passes_on(request, match))
    assert told == [True, True, False]
    assert ([one.path for one in rehearsed], passed_on) == (["/buy"], ["old"])
