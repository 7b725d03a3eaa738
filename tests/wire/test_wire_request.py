"""A request as the gate reads it: nothing before it is asked for, and the body put back."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from seckill_sidecar.wire.fields import FORM, Malformed
from seckill_sidecar.wire.request import Request


def request(body: bytes | None = None, **environ: Any) -> Request:
    """A POST, as WSGI has it."""
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/buy/x", "SCRIPT_NAME": "", **environ}
    if body is not None:
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    setup_testing_defaults(environ)
    return Request(environ)


class Untouchable(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def test_nothing_is_read_before_it_is_asked_for() -> None:
    asked = request(**{"wsgi.input": Untouchable(), "CONTENT_LENGTH": "10", "QUERY_STRING": "%ff"})
    assert (asked.method, asked.path, asked.hosts) == ("POST", "/buy/x", {"127.0.0.1", ""})


def test_the_target_is_told_by_the_server_or_written_anew() -> None:
    assert request(RAW_URI="/%62uy/x?a=%20").target == "/%62uy/x?a=%20"
    assert request(PATH_INFO="/a b%/\xc3\xa9", QUERY_STRING="q=%20").target == "/a%20b%25/%C3%A9?q=%20"
    assert request(SCRIPT_NAME="/shop", PATH_INFO="/buy/x").path == "/shop/buy/x"


def test_readings_are_of_what_was_sent_and_of_what_the_server_made_of_it() -> None:
    assert {"/buy/x", "/y"} <= request(RAW_URI="/y", PATH_INFO="/BUY/x/").readings


@pytest.mark.parametrize(
    ("host", "target", "hosts"),
    [
        ("Shop.Test:8080", "/", {"shop.test", ""}),
        ("shop.test.", "/", {"shop.test", ""}),
        ("[::1]:80", "/", {"[::1]", ""}),
        ("a.test", "http://B.test:1/x", {"a.test", "b.test"}),
    ],
)
def test_hosts_are_all_that_the_request_could_be_for(host: str, target: str, hosts: set[str]) -> None:
    assert request(HTTP_HOST=host, RAW_URI=target).hosts == hosts


def test_a_body_is_put_back_as_it_came() -> None:
    asked = request(b"a=1&b=2", CONTENT_TYPE=FORM)
    assert asked.form(100) == {"a": ["1"], "b": ["2"]}
    assert asked.environ["wsgi.input"].read() == b"a=1&b=2"
    assert asked.read_body(100) == b"a=1&b=2"


def test_a_chunked_body_gets_a_length() -> None:
    environ = {"wsgi.input": io.BytesIO(b"a=1"), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    asked = request(CONTENT_TYPE=FORM, **environ)
    assert asked.form(100) == {"a": ["1"]}
    assert asked.environ["CONTENT_LENGTH"] == "3"
    assert "HTTP_TRANSFER_ENCODING" not in asked.environ


@pytest.mark.parametrize("length", ["-1", "x", "1e1", "٣", "+5", "0x5", "1_0"])
def test_a_length_that_is_no_number_is_malformed(length: str) -> None:
    with pytest.raises(Malformed, match="Content-Length"):
        request(**{"wsgi.input": Untouchable(), "CONTENT_LENGTH": length}).read_body(100)


def test_a_body_too_large_by_its_own_account_is_not_even_read() -> None:
    with pytest.raises(Malformed) as found:
        request(**{"wsgi.input": Untouchable(), "CONTENT_LENGTH": "101"}).read_body(100)
    assert found.value.status == 413


def test_a_body_that_ends_early_or_breaks_is_malformed() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("reset")

    with pytest.raises(Malformed, match="ended early"):
        request(**{"wsgi.input": io.BytesIO(b"abc"), "CONTENT_LENGTH": "5"}).read_body(100)
    with pytest.raises(Malformed, match="can't be read"):
        request(**{"wsgi.input": Broken(), "CONTENT_LENGTH": "5"}).read_body(100)


def test_a_body_in_dribs_and_drabs_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 2))

    asked = request(**{"wsgi.input": Slow(b"abcdefg"), "CONTENT_LENGTH": "7"})
    assert asked.read_body(100) == b"abcdefg"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/html ", "text/html"),
        (f"{FORM}, text/plain", FORM),
        (f"{FORM}\ttext/plain", FORM),
        ("", ""),
        (";", ""),
    ],
)
def test_the_content_type_is_what_comes_before_its_parameters(sent: str, kind: str) -> None:
    assert request(CONTENT_TYPE=sent).content_type == kind


def test_headers_sent_twice_are_malformed_where_the_server_tells() -> None:
    raw = [("X-SKU", "a"), ("x-sku", "b"), ("X-ONE", "1")]
    asked = request(HTTP_X_SKU="a,b", HTTP_X_ONE="1", **{"seckill.raw_headers": raw})
    assert asked.header("X-One") == "1"
    with pytest.raises(Malformed, match="more than once"):
        asked.header("X-Sku")


def test_headers_are_utf_8() -> None:
    assert request(HTTP_X_USER="Zo\xc3\xab").header("X-User") == "Zoë"
    with pytest.raises(Malformed, match="not UTF-8"):
        request(HTTP_X_USER="Zo\xeb").header("X-User")
    assert request().header("X-User") is None


def test_cookies_come_by_name_also_when_they_come_twice() -> None:
    assert request(HTTP_COOKIE='a=1; b="x y"; a=2,c=3; nonsense; =; d==').cookies == {
        "a": ["1", "2"],
        "b": ["x y"],
        "c": ["3"],
        "": [""],
        "d": ["="],
    }


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":2}', b'{"x":{"a":1,"a":1}}', b"NaN", b"[Infinity]", b"{", b"\xff", b"", b"1" * 5000, b"[" * 90_000],
)
def test_json_that_is_more_or_less_than_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        request(body, CONTENT_TYPE="application/json").json(100_000)


def test_json_needs_its_content_type() -> None:
    assert request(b"[1]", CONTENT_TYPE="application/vnd.shop+json").json(100) == [1]
    with pytest.raises(Malformed) as found:
        request(b"[1]", CONTENT_TYPE="text/json").json(100)
    assert found.value.status == 415


def test_a_client_that_hung_up_is_noticed_and_one_that_only_waits_is_not() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(7.0)
        request = Request({"REQUEST_METHOD": "POST", "gunicorn.socket": ours})
        assert not request.is_abandoned()
        theirs.send(b"the next request")
        assert not request.is_abandoned()
        assert ours.recv(100) == b"the next request"
        theirs.close()
        assert request.is_abandoned()
        assert ours.gettimeout() == 7.0


def test_where_the_server_does_not_tell_nobody_has_hung_up() -> None:
    assert not Request({"REQUEST_METHOD": "POST"}).is_abandoned()


def test_a_body_that_could_not_be_read_is_passed_on_as_far_as_it_came_and_breaks_there_again() -> None:
    class Breaking(io.RawIOBase):
        """Two bytes, then a fault."""

        pieces = iter([b"ab"])

        def read(self, size: int = -1) -> bytes:
            for piece in self.pieces:
                return piece
            raise OSError("the client broke off")

    asked = request(**{"wsgi.input": Breaking(), "CONTENT_LENGTH": "10"})
    for _ in range(2):
        with pytest.raises(Malformed):
            asked.read_body(100)
    assert asked.environ["wsgi.input"].read(10) == b"ab"
    with pytest.raises(OSError, match="broke off"):
        asked.environ["wsgi.input"].read(10)


def test_a_body_that_ended_early_is_passed_on_as_it_is() -> None:
    asked = request(**{"wsgi.input": io.BytesIO(b"ab"), "CONTENT_LENGTH": "10"})
    with pytest.raises(Malformed):
        asked.read_body(100)
    assert asked.environ["wsgi.input"].read() == b"ab"


def test_a_body_in_chunks_goes_on_in_chunks_if_it_is_to() -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    asked = request(**{"wsgi.input": io.BytesIO(b"abc"), **chunked})
    assert asked.read_body(100) == b"abc"
    assert (asked.environ["CONTENT_LENGTH"], "HTTP_TRANSFER_ENCODING" in asked.environ) == ("3", False)
    asked.frame_as_sent()
    assert ("CONTENT_LENGTH" in asked.environ, asked.environ["HTTP_TRANSFER_ENCODING"]) == (False, "chunked")
    assert asked.environ["wsgi.input"].read() == b"abc"


def test_a_body_that_takes_too_long_is_given_up() -> None:
    @contextmanager
    def impatient() -> Iterator[None]:
        raise TimeoutError
        yield

    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"abcde")}
    with pytest.raises(Malformed) as raised:
        Request({**environ, "seckill.body_within": impatient}).read_body(100)
    assert raised.value.status == 408
