"""The middleware keeps to WSGI on both sides: towards the server, and towards the application it wraps."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item
from seckill_sidecar.settings import loads
from seckill_sidecar.wiring import Site

Application = Callable[..., Iterable[bytes]]

SETTINGS = """
stores: {{redis: "{redis}", database: "sqlite:///{folder}/orders.db"}}
keys: [{{id: k, secret: a secret of sixteen characters}}]
identity: {{buyer: {{environ: REMOTE_USER, trust: server}}}}
routes:
  - {{name: buy, path: "/buy/{{sku}}", item: {{path: sku}}, quantity: {{form: quantity, default: 1}}}}
  - {{name: json, path: "/json/{{sku}}", item: {{path: sku}}, on_accept: json}}
"""


@pytest.fixture
def site(redis_url: str, tmp_path: Path) -> Iterator[Site]:
    """A site with a kettle on sale."""
    built = Site(loads(SETTINGS.format(redis=redis_url, folder=tmp_path), "seckill.yaml", {}))
    built.orders.migrate()
    with closing(built.ledger), closing(built.orders):
        built.ledger.load(Item("kettle", 10, per_buyer=9), Deadline.after(5, SystemClock()))
        yield built


class Served:
    """What a server got from an application that it called once."""

    def __init__(self, application: Application, path: str, method: str = "POST", body: bytes = b"") -> None:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "REMOTE_USER": "alice",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        if method == "GET":
            del environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]
        setup_testing_defaults(environ)
        self.written: list[bytes] = []
        pieces = application(environ, self._start_response)
        try:
            self.body = b"".join([*self.written, *pieces])
        finally:
            pieces.close()  # type: ignore[attr-defined]

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status, self.headers = status, headers
        return self.written.append


def checked(site: Site, application: Application) -> Application:
    """The middleware with a validator on either side of it."""
    return validator(site.middleware(validator(application)))


def shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A site that reads its body and answers in pieces."""
    sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response(
        "201 Created", [("Content-Type", "text/plain"), ("X-Order", environ.get("HTTP_X_SECKILL_ORDER", ""))]
    )
    return [b"got ", sent]


@pytest.fixture(autouse=True)
def _nothing_left_open(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The validator complains on standard error of answers that nobody closed."""
    yield
    gc.collect()
    assert "without being closed" not in capsys.readouterr().err


def test_what_passes_through(site: Site) -> None:
    served = Served(checked(site, shop), "/other", body=b"quantity=3")
    assert (served.status, served.body) == ("201 Created", b"got quantity=3")
    assert Served(checked(site, shop), "/buy/kettle", method="GET").body == b"got "


def test_what_is_forwarded(site: Site) -> None:
    served = Served(checked(site, shop), "/buy/kettle", body=b"quantity=3")
    assert (served.status, served.body) == ("201 Created", b"got quantity=3")
    assert dict(served.headers)["X-Order"].startswith("kettle~")


def test_what_is_refused(site: Site) -> None:
    assert Served(checked(site, shop), "/buy/teapot").status == "404 Not Found"
    assert Served(checked(site, shop), "/buy/kettle", body=b"quantity=x").status == "400 Bad Request"
    assert Served(checked(site, shop), "/BUY/kettle").status == "400 Bad Request"


def test_what_we_answer_ourselves(site: Site) -> None:
    application = checked(site, shop)
    bought = Served(application, "/json/kettle")
    assert bought.status == "201 Created"
    where, _, _ = dict(bought.headers)["Location"].partition("?")
    assert Served(application, where, method="GET").status == "200 OK"
    assert Served(application, "/seckill/nothing", method="GET").status == "404 Not Found"


def test_a_body_too_large_is_refused(site: Site) -> None:
    assert Served(checked(site, shop), "/buy/kettle", body=b"x" * 70_000).status.startswith("413")


def test_an_application_that_fails_has_its_order_kept(site: Site) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"oh"]

    def raising(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    def silent(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return iter(())

    for application in (broken, raising):
        assert Served(checked(site, application), "/buy/kettle").status == "202 Accepted"
    # The validator itself would stop an application that never starts an answer.
    assert Served(validator(site.middleware(silent)), "/buy/kettle").status == "202 Accepted"


def test_an_answer_that_is_made_as_it_is_read(site: Site) -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("303 See Other", [("Location", "/thanks"), ("Content-Type", "text/plain")])
        yield from ()

    def in_pieces(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        yield b"b"

    served = Served(validator(site.middleware(late)), "/buy/kettle")
    assert (served.status, dict(served.headers)["Location"], served.body) == ("303 See Other", "/thanks", b"")
    assert Served(validator(site.middleware(in_pieces)), "/buy/kettle").body == b"ab"


def test_an_answer_that_is_written(site: Site) -> None:
    def writing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"a")
        write(b"b")
        return [b"c"]

    assert Served(checked(site, writing), "/buy/kettle").body == b"abc"


def test_an_answer_that_is_begun_twice(site: Site) -> None:
    def changing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise ZeroDivisionError  # noqa: TRY301
        except ZeroDivisionError:
            start_response("404 Not Found", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"changed"]

    served = Served(checked(site, changing), "/buy/kettle")
    assert (served.status, served.body) == ("404 Not Found", b"changed")


def test_an_answer_is_closed_though_nobody_reads_it(site: Site) -> None:
    closed = []

    class Answer(list[bytes]):
        def close(self) -> None:
            closed.append(self)

    def closing_(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(environ.get("HTTP_X_STATUS", "200 OK"), [("Content-Type", "text/plain")])
        return Answer([b"x"])

    Served(site.middleware(closing_), "/buy/kettle")
    assert len(closed) == 1
