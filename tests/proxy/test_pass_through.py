"""The same raw requests to the storefront directly and through the proxy: nobody can tell which was which."""

from __future__ import annotations

import hashlib
import socket

import pytest
from proxy_client import Answer, Client, ask, by_name, request
from proxy_storefront import HEAD, Seen, Storefront
from proxy_targets import Address

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
STATUSES = [200, 201, 204, 206, 301, 302, 303, 304, 400, 401, 404, 405, 409, 410, 418, 422, 429, 500, 502, 503]
PATHS = [
    "//a",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/../a",
    "/%2F",
    "/%2f",
    "/%2e%2e",
    "/a%20b",
    "/a;p=1",
    "/a?",
    "/a??",
    "/a?b=c%26&&=",
    "/a?b=/../c;d#e",
    "/%E4%B8%AD",
    "/%ff%00",
    "/a+b",
    "/a/",
    "/*",
    '/a|b^c`{d}"<>\\',
    "/index.php/buy/1?route=checkout/confirm",
    "http://shop.test/a?b=c",
    "http://shop.test",
    "HTTP://shop.test:8080//a",
]
TEN_MB = bytes(range(256)) * (10 * 1024 * 1024 // 256)


def ask_both(storefront: Storefront, proxy: Address, raw: bytes) -> tuple[Answer, Answer]:
    """Ask directly and through the proxy, and check that the storefront was asked the same both times."""
    direct = ask(storefront.address, raw)
    through = ask(proxy, raw)
    first, second = storefront.seen[-2:]
    assert asked(second) == asked(first)
    return direct, through


def asked(seen: Seen) -> tuple[object, ...]:
    return seen.method, seen.target, by_name(seen.headers), seen.size, seen.digest


def expect_same(storefront: Storefront, proxy: Address, raw: bytes) -> Answer:
    direct, through = ask_both(storefront, proxy, raw)
    assert through.meaning == direct.meaning
    return through


def answer(status: int, body: bytes = b"", *fields: str, reason: str = "Said So") -> bytes:
    lines = [
        f"HTTP/1.1 {status} {reason}",
        *fields,
        *([] if status in {204, 304} else [f"Content-Length: {len(body)}"]),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + HEAD + b"\r\n" + body


BODIES = {
    "no body": {},
    "an empty body": {"body": b""},
    "a body": {"body": b"item=1&quantity=2"},
    "a chunked body": {"body": b"x" * 250_000, "chunked": True},
    "an empty chunked body": {"body": b"", "chunked": True},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("method", METHODS)
def test_a_request_of_any_method_arrives_as_it_was_sent(
    storefront: Storefront, proxy: Address, method: str, body: dict[str, bytes | bool]
) -> None:
    expect_same(storefront, proxy, request("/buy", "Content-Type: text/x", method=method, **body))  # type: ignore[arg-type]


@pytest.mark.parametrize("chunked", [False, True], ids=["fixed", "chunked"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_ten_megabytes_up(storefront: Storefront, proxy: Address, method: str, chunked: bool) -> None:
    expect_same(storefront, proxy, request("/upload", method=method, body=TEN_MB, chunked=chunked))
    assert storefront.seen[-1].digest == hashlib.sha256(TEN_MB).hexdigest()


def say_chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body


DOWN = {
    "fixed": answer(200, TEN_MB),
    "chunked": say_chunked(b'%x;a=b;c="d"\r\n%b\r\n0;last\r\nX-Trailer: 1\r\n\r\n' % (len(TEN_MB), TEN_MB)),
}


@pytest.mark.parametrize("kind", DOWN)
def test_ten_megabytes_down(storefront: Storefront, proxy: Address, kind: str) -> None:
    storefront.answer("ten", DOWN[kind])
    got = expect_same(storefront, proxy, request("/file", "X-Answer: ten"))
    assert got.body == TEN_MB


def test_a_body_that_ends_with_the_connection(storefront: Storefront, proxy: Address) -> None:
    def say(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.0 200 OK\r\n" + HEAD + b"\r\n" + b"old" * 50_000)
        return False

    storefront.answer("old", say)
    assert expect_same(storefront, proxy, request("/", "X-Answer: old")).body == b"old" * 50_000


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_of_any_status_comes_back_as_it_was(
    storefront: Storefront, proxy: Address, status: int, method: str
) -> None:
    body = b"" if method == "HEAD" or status in {204, 304} else b"<h1>answer</h1>"
    raw = answer(status, b"<h1>answer</h1>", "Location: /else?where=%20", 'ETag: "x"')
    storefront.answer("status", raw if body else raw.removesuffix(b"<h1>answer</h1>"))
    expect_same(storefront, proxy, request("/", "X-Answer: status", method=method))


def test_the_length_of_a_body_that_is_not_sent_is_kept(storefront: Storefront, proxy: Address) -> None:
    storefront.answer("head", b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: 12345\r\n\r\n")
    storefront.answer("304", b"HTTP/1.1 304 Not Modified\r\n" + HEAD + b"Content-Length: 12345\r\n\r\n")
    head = expect_same(storefront, proxy, request("/", "X-Answer: head", method="HEAD"))
    not_modified = expect_same(storefront, proxy, request("/", "X-Answer: 304"))
    assert head.values("content-length") == not_modified.values("content-length") == ["12345"]


@pytest.mark.parametrize("path", PATHS)
def test_a_legal_target_arrives_as_it_was_sent(storefront: Storefront, proxy: Address, path: str) -> None:
    expect_same(storefront, proxy, request(path))
    assert storefront.seen[-1].target == path


def test_options_asks_about_the_whole_server(storefront: Storefront, proxy: Address) -> None:
    expect_same(storefront, proxy, request("*", method="OPTIONS"))


def test_duplicate_request_fields_arrive_apart_and_in_order(storefront: Storefront, proxy: Address) -> None:
    duplicates = ["Cookie: a=1", "X-Dup: one", "Cookie: b=2", "X-Dup: two, three", "X-Dup:", "Accept: */*"]
    expect_same(storefront, proxy, request("/", *duplicates))
    assert storefront.seen[-1].values("cookie") == ["a=1", "b=2"]
    assert storefront.seen[-1].values("x-dup") == ["one", "two, three", ""]


def test_duplicate_answer_fields_come_back_apart_and_in_order(storefront: Storefront, any_proxy: Address) -> None:
    fields = ["Set-Cookie: a=1; Path=/", "Via: 1.1 a", "Set-Cookie: b=2", "Link: </x>", "Via: 1.1 b", "Set-Cookie: c=3"]
    storefront.answer("dup", answer(200, b"ok", *fields, "Link: </y>", "Content-Type: text/plain"))
    got = ask(any_proxy, request("/", "X-Answer: dup"))
    assert got.values("set-cookie") == ["a=1; Path=/", "b=2", "c=3"]
    assert got.values("via") == ["1.1 a", "1.1 b"]
    assert got.values("link") == ["</x>", "</y>"]


def test_odd_bytes_in_fields_are_kept_both_ways(storefront: Storefront, proxy: Address) -> None:
    storefront.answer("odd", answer(200, b"ok", "X-Odd: caf\xe9 \xe4\xb8\xad\t\xff", "X-Empty:", reason="G\xfct"))
    got = expect_same(storefront, proxy, request("/", "X-Answer: odd", "X-Odd: \xe4\xb8\xad \x80\xff"))
    assert got.values("x-odd") == ["caf\xe9 \xe4\xb8\xad\t\xff"]
    assert storefront.seen[-1].values("x-odd") == ["\xe4\xb8\xad \x80\xff"]


def test_nothing_is_decoded(storefront: Storefront, proxy: Address) -> None:
    storefront.answer(
        "gzip", answer(200, b"\x1f\x8b not even gzip", "Content-Encoding: gzip", "Content-Range: bytes 0-9/99")
    )
    expect_same(storefront, proxy, request("/", "X-Answer: gzip", "Accept-Encoding: gzip, br", "Range: bytes=0-9"))


def test_hop_by_hop_fields_stay_behind_both_ways(storefront: Storefront, proxy: Address) -> None:
    hops = ["Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "TE: trailers", "Upgrade: websocket"]
    storefront.answer("hops", answer(200, b"ok", *hops, "Trailer: X-T", "Proxy-Authenticate: Basic", "X-Stays: 1"))
    got = ask(proxy, request("/", "X-Answer: hops", *hops, "Proxy-Connection: close", "X-Stays: 1"))
    arrived = {name.lower() for name, _ in storefront.seen[-1].headers}
    assert arrived == {"host", "x-answer", "x-stays"}
    left = {name.lower() for name, _ in got.headers}
    assert left == {"server", "date", "connection", "x-stays", "content-length"}


def test_connection_cannot_take_the_host_away(storefront: Storefront, proxy: Address) -> None:
    ask(proxy, request("/", "Connection: Host, Content-Length", method="POST", body=b"abc"))
    assert storefront.seen[-1].values("host") == ["shop.test"]
    assert storefront.seen[-1].size == 3


def test_expect_is_passed_on_and_its_interim_answer_is_sent(storefront: Storefront, proxy: Address) -> None:
    got = expect_same(storefront, proxy, request("/", "Expect: 100-continue", method="POST", body=b"x" * 100_000))
    assert [status for status, _ in got.interim] == [100]
    assert storefront.seen[-1].values("expect") == ["100-continue"]


def test_early_hints_are_passed_on_and_other_interim_answers_are_not(storefront: Storefront, proxy: Address) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nLink: </b.css>\r\n\r\n"
    storefront.answer("hints", b"HTTP/1.1 102 Processing\r\n\r\n" + hints + hints + answer(200, b"ok"))
    got = expect_same(storefront, proxy, request("/", "X-Answer: hints"))
    assert got.interim == [(103, [("Link", "</a.css>"), ("Link", "</b.css>")])] * 2


def test_date_and_server_are_the_storefronts_own(storefront: Storefront, proxy: Address) -> None:
    got = ask(proxy, request("/"))
    assert got.values("server") == ["legacy/1.0"]
    assert got.values("date") == ["Mon, 01 Jan 2024 00:00:00 GMT"]


def test_an_answer_without_server_gets_none_and_one_without_date_gets_one(
    storefront: Storefront, proxy: Address
) -> None:
    storefront.answer("bare", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    got = ask(proxy, request("/", "X-Answer: bare"))
    assert got.values("server") == []
    assert len(got.values("date")) == 1


def test_an_answer_without_a_reason_phrase(storefront: Storefront, proxy: Address) -> None:
    storefront.answer("mute", answer(299, b"ok", reason=""))
    assert expect_same(storefront, proxy, request("/", "X-Answer: mute")).reason == ""


def test_requests_on_one_connection_do_not_leak_into_each_other(storefront: Storefront, proxy: Address) -> None:
    with Client(proxy) as client:
        client.send(request("/1", "Cookie: a=1", "X-One: 1", method="POST", body=b"first"))
        client.receive("POST")
        client.send(request("/2", "Cookie: b=2") + request("/3", method="HEAD"))
        client.receive()
        client.receive("HEAD")
    one, two, three = storefront.seen
    assert (one.size, two.size, three.size) == (5, 0, 0)
    assert two.values("cookie") == ["b=2"]
    assert [name.lower() for name, _ in three.headers] == ["host"]


def test_an_http_1_0_client_without_host(storefront: Storefront, proxy: Address) -> None:
    storefront.answer("chunked", say_chunked(b"2\r\nok\r\n0\r\n\r\n"))
    got = ask(proxy, b"GET / HTTP/1.0\r\nX-Answer: chunked\r\n\r\n")
    assert got.body == b"ok"
    assert got.values("transfer-encoding") == []
    assert storefront.seen[-1].values("host") == [storefront.url.removeprefix("http://")]


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_every_server_passes_answers_back(storefront: Storefront, any_proxy: Address, status: int) -> None:
    storefront.answer("status", answer(status, b"<p>ok</p>", "Location: /x", "Content-Type: text/html"))
    expect_same(storefront, any_proxy, request("/", "X-Answer: status", "Content-Type: text/plain"))


@pytest.mark.parametrize("path", ["/a%20b?c=%26&d", "/%E4%B8%AD", "/a;p=1/+", "/"])
@pytest.mark.parametrize("body", [None, b"item=1"])
def test_every_server_passes_common_requests_on(
    storefront: Storefront, any_proxy: Address, path: str, body: bytes | None
) -> None:
    method = "GET" if body is None else "POST"
    direct, through = ask(storefront.address, request(path)), ask(any_proxy, request(path, method=method, body=body))
    assert through.meaning == direct.meaning
    seen = storefront.seen[-1]
    assert (seen.method, seen.target, seen.size) == (method, path, len(body or b""))
    assert seen.values("host") == ["shop.test"]
