"""``ReverseProxy.forward`` as the gate calls it: its errors, the fields that are ours, the connections that it uses."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proxy_storefront import HEAD, Storefront
from stack import eventually, free_port

from seckill_sidecar.adapters.storefront import ReverseProxy, Unpassable, UpstreamResponse
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import ConfigurationError, OutcomeUnknown, StoreDown, TooBusy
from seckill_sidecar.settings.schema import StorefrontSettings, Timeouts

TIMEOUTS = Timeouts.model_validate({"connect": "200ms", "storefront": "500ms"})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(storefront: Storefront, clock: ManualClock) -> Iterator[ReverseProxy]:
    """A proxy with two connections, which are kept for 5 s of ``clock``."""
    proxy = ReverseProxy(storefront.url, StorefrontSettings(connections=2), TIMEOUTS, clock)
    yield proxy
    proxy.close()


def environ(*headers: tuple[str, str], body: bytes = b"", target: str = "/buy", **more: Any) -> dict[str, Any]:
    """What gunicorn's worker hands over."""
    return {
        "REQUEST_METHOD": "POST" if body else "GET",
        "RAW_URI": target,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
        "seckill.raw_headers": [("HOST", "shop.test"), *((name.upper(), value) for name, value in headers)],
        **more,
    }


def read(answer: UpstreamResponse) -> bytes:
    return b"".join(answer.body)


# -- header fields of ours -----------------------------------------------------------------------


def test_our_fields_replace_the_clients_of_the_same_name(storefront: Storefront, shop: ReverseProxy) -> None:
    sent = [("X-User-Id", "forged"), ("X_User_Id", "forged"), ("X-Other", "1"), ("X-USER-ID", "forged")]
    ours = [("X-User-Id", "7"), ("X-Seckill-Order", "a~1"), ("X-User-Id", "8")]
    read(shop.forward(environ(*sent, **{"seckill.storefront_headers": ours})))
    seen = storefront.seen[-1]
    assert seen.headers == [
        ("Host", "shop.test"),
        ("X-Other", "1"),
        ("X-User-Id", "7"),
        ("X-Seckill-Order", "a~1"),
        ("X-User-Id", "8"),
    ]


def test_a_client_cannot_forge_our_fields(storefront: Storefront, shop: ReverseProxy) -> None:
    read(shop.forward(environ(("X-Seckill-Order", "a"), ("x_seckill_signature", "b"), ("X-Seckill_Buyer", "c"))))
    assert storefront.seen[-1].headers == [("Host", "shop.test")]


def test_connection_cannot_take_our_fields_away(storefront: Storefront, shop: ReverseProxy) -> None:
    ours = [("X-Seckill-Order", "a~1")]
    read(shop.forward(environ(("Connection", "X-Seckill-Order"), **{"seckill.storefront_headers": ours})))
    assert storefront.seen[-1].values("x-seckill-order") == ["a~1"]


def test_a_body_that_the_gate_read_is_framed_anew(storefront: Storefront, shop: ReverseProxy) -> None:
    request = environ(("Transfer-Encoding", "chunked"), body=b"item=1")
    read(shop.forward(request))
    seen = storefront.seen[-1]
    assert (seen.values("transfer-encoding"), seen.values("content-length"), seen.size) == ([], ["6"], 6)


# -- which error means what ------------------------------------------------------------------------


def test_nobody_listening_is_store_down() -> None:
    proxy = ReverseProxy(f"http://127.0.0.1:{free_port()}", StorefrontSettings(), TIMEOUTS)
    with pytest.raises(StoreDown):
        proxy.forward(environ())


def test_a_host_that_nobody_knows_is_store_down() -> None:
    with pytest.raises(StoreDown):
        ReverseProxy("http://no-such-host.invalid", StorefrontSettings(), TIMEOUTS).forward(environ())


def test_no_answer_to_a_sent_request_is_unknown(storefront: Storefront, shop: ReverseProxy) -> None:
    storefront.answer("mute", lambda _: False)
    with pytest.raises(OutcomeUnknown):
        shop.forward(environ(("X-Answer", "mute"), body=b"item=1"))
    assert len(storefront.seen) == 1, "nothing is sent twice"


def test_silence_is_unknown(storefront: Storefront, shop: ReverseProxy) -> None:
    over = threading.Event()
    storefront.answer("silent", lambda _: over.wait(10))
    with pytest.raises(OutcomeUnknown, match=r"no answer for 0\.5 s"):
        shop.forward(environ(("X-Answer", "silent")))
    over.set()


def test_a_storefront_that_takes_no_more_of_the_body_is_unknown(storefront: Storefront, shop: ReverseProxy) -> None:
    over = threading.Event()
    storefront.answer("full", lambda _: over.wait(10), early=True)
    with pytest.raises(OutcomeUnknown, match=r"no answer for 0\.5 s"):
        shop.forward(environ(("X-Answer", "full"), body=bytes(30_000_000)))
    over.set()


def test_a_body_that_breaks_off_is_unknown(storefront: Storefront, shop: ReverseProxy) -> None:
    def say(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        return False

    storefront.answer("half", say)
    answer = shop.forward(environ(("X-Answer", "half")))
    with pytest.raises(OutcomeUnknown):
        read(answer)


def test_more_requests_than_connections_is_too_busy(storefront: Storefront, shop: ReverseProxy) -> None:
    answers = [shop.forward(environ()), shop.forward(environ())]
    with pytest.raises(TooBusy):
        shop.forward(environ())
    answers[0].body.close()
    assert read(shop.forward(environ())) == b"ok\n"
    answers[1].body.close()


@pytest.mark.parametrize(
    "request_",
    [
        environ(("X-Bad", "line\nbreak")),
        environ(REQUEST_METHOD="GET /"),
        environ(REQUEST_METHOD="CONNECT"),
        environ(CONTENT_LENGTH="ten"),
        environ(HTTP_TRANSFER_ENCODING="gzip, chunked"),
    ],
    ids=["field", "method", "tunnel", "length", "coding"],
)
def test_what_is_no_http_is_not_passed_on(storefront: Storefront, shop: ReverseProxy, request_: dict[str, Any]) -> None:
    with pytest.raises(Unpassable):
        shop.forward(request_)
    assert storefront.seen == []


def test_a_body_shorter_than_announced_gives_the_connection_back(storefront: Storefront, shop: ReverseProxy) -> None:
    for _ in range(3):
        with pytest.raises(Unpassable):
            shop.forward(environ(body=b"12345", CONTENT_LENGTH="10"))
    assert read(shop.forward(environ())) == b"ok\n"


def test_a_server_that_refuses_the_head_gives_the_connection_back(storefront: Storefront, shop: ReverseProxy) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError):  # noqa: PT011
            shop(environ(), refuse)
    assert read(shop.forward(environ())) == b"ok\n"


def test_the_gate_is_told_what_failed_and_a_client_is_answered() -> None:
    proxy = ReverseProxy(f"http://127.0.0.1:{free_port()}", StorefrontSettings(), TIMEOUTS)
    with pytest.raises(StoreDown):
        proxy(environ(**{"seckill.storefront_headers": [("X-Seckill-Order", "a~1")]}), lambda *_: None)
    started: list[str] = []
    proxy(environ(), lambda status, _: started.append(status))
    assert started == ["502 Bad Gateway"]


# -- which connection is used ------------------------------------------------------------------------


def test_a_connection_is_used_again_after_a_clean_end(storefront: Storefront, shop: ReverseProxy) -> None:
    made = storefront.made
    for _ in range(5):
        assert read(shop.forward(environ(body=b"item=1"))) == b"ok\n"
    assert storefront.made == made + 1


def test_a_connection_that_the_storefront_closed_meanwhile_is_not_used(
    storefront: Storefront, shop: ReverseProxy
) -> None:
    read(shop.forward(environ()))
    storefront.drop_connections()
    eventually(lambda: not storefront.open, what="the storefront has closed")
    assert read(shop.forward(environ(body=b"item=1"))) == b"ok\n"


def test_a_connection_idle_for_too_long_is_not_used(
    storefront: Storefront, shop: ReverseProxy, clock: ManualClock
) -> None:
    made = storefront.made
    read(shop.forward(environ()))
    clock.advance(5.0)
    read(shop.forward(environ()))
    assert storefront.made == made + 2


OK = b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: 3\r\n"
NOT_TO_BE_USED_AGAIN = {
    "close": OK + b"Connection: close\r\n\r\nok\n",
    "HTTP/1.0": OK.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\nok\n",
    "more than was announced": OK + b"\r\nok\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
}


@pytest.mark.parametrize("kind", NOT_TO_BE_USED_AGAIN)
def test_a_connection_is_not_used_again_after(storefront: Storefront, shop: ReverseProxy, kind: str) -> None:
    storefront.answer("last", NOT_TO_BE_USED_AGAIN[kind])
    made = storefront.made
    for _ in range(2):
        assert read(shop.forward(environ(("X-Answer", "last")))) == b"ok\n"
    assert storefront.made == made + 2


def test_a_connection_is_not_used_again_before_the_body_was_read(storefront: Storefront, shop: ReverseProxy) -> None:
    made = storefront.made
    for _ in range(5):
        shop.forward(environ()).body.close()
    assert storefront.made == made + 5


def test_many_threads_share_few_connections(storefront: Storefront) -> None:
    patient = Timeouts.model_validate({"connect": "10s"})
    proxy = ReverseProxy(storefront.url, StorefrontSettings(connections=3), patient)
    made, bodies = storefront.made, []
    threads = [threading.Thread(target=lambda: bodies.append(read(proxy.forward(environ())))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    proxy.close()
    assert bodies == [b"ok\n"] * 40
    assert storefront.made - made <= 3


# -- where the storefront is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        ("", "/a?b", "/a?b"),
        ("/", "/a?b", "/a?b"),
        ("/shop", "/a?b", "/shop/a?b"),
        ("/shop/", "//a", "/shop//a"),
        ("/shop", "http://x.test/a?b", "/shop/a?b"),
        ("/shop", "http://x.test?b=/c", "/shop/?b=/c"),
        ("/shop", "*", "*"),
        ("", "/caf\xe9 x", "/caf%E9%20x"),
    ],
)
def test_a_base_path_goes_before_the_clients(storefront: Storefront, base: str, target: str, expected: str) -> None:
    proxy = ReverseProxy(storefront.url + base, StorefrontSettings(), TIMEOUTS)
    read(proxy.forward(environ(target=target, REQUEST_METHOD="OPTIONS")))
    proxy.close()
    assert storefront.seen[-1].target == expected


def test_a_storefront_on_a_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "shop.sock"))
        listener.listen()
        proxy = ReverseProxy(f"unix:{tmp_path}/shop.sock", StorefrontSettings(), TIMEOUTS)
        asked = threading.Thread(target=answer_one, args=(listener,))
        asked.start()
        assert read(proxy.forward(environ())) == b"unix"
        asked.join(5)
    with pytest.raises(StoreDown):
        proxy.forward(environ())


def answer_one(listener: socket.socket) -> None:
    with listener.accept()[0] as connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix")


@pytest.mark.parametrize(
    "url", ["shop", "ftp://shop", "http://", "http://shop:port", "http://a:b@shop", "http://shop/?q", "unix:relative"]
)
def test_what_is_no_address_is_said_so(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a storefront"):
        ReverseProxy(url, StorefrontSettings(), TIMEOUTS)
