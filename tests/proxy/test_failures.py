"""What the client sees when the storefront, or the client itself, fails in the middle."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from proxy_client import BROKEN, Client, ask, request
from proxy_storefront import HEAD, Script, Storefront
from proxy_targets import Address, Gunicorn, under_gunicorn
from stack import eventually, free_port

HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture(scope="module")
def impatient(_storefront: Storefront) -> Iterator[Gunicorn]:
    """A proxy with one connection, that waits 300 ms for the storefront."""
    with Gunicorn(_storefront.url, PATIENCE="300ms", CONNECTIONS="1") as server:
        yield server


def say_and_hang_up(raw: bytes) -> Script:
    def say(connection: socket.socket) -> bool:
        connection.sendall(raw)
        return False

    return say


BROKEN_OFF = {
    "fixed": b"Content-Length: 1000\r\n\r\n0123456789",
    "chunked, within a chunk": b"Transfer-Encoding: chunked\r\n\r\nff\r\n0123456789",
    "chunked, between chunks": b"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
    "not a chunk": b"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nnonsense\r\n",
}


@pytest.mark.parametrize("kind", BROKEN_OFF)
def test_a_body_that_breaks_off_is_broken_for_the_client_too(storefront: Storefront, proxy: Address, kind: str) -> None:
    storefront.answer("broken", say_and_hang_up(b"HTTP/1.1 200 OK\r\n" + HEAD + BROKEN_OFF[kind]))
    with Client(proxy) as client:
        client.send(request("/", "X-Answer: broken"))
        got = client.receive()
        assert got.status == 200
        assert got.body == b"0123456789" + BROKEN
        assert client.stream.read() == b""


def test_a_body_that_ends_with_the_connection_may_break_off_too(storefront: Storefront, proxy: Address) -> None:
    heard = threading.Event()

    def say(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"\r\n0123456789")
        heard.wait(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    storefront.answer("reset", say)
    with Client(proxy) as client:
        client.send(request("/", "X-Answer: reset"))
        assert client.stream.readline().startswith(b"HTTP/1.1 200")
        heard.set()
        assert b"\r\n0\r\n" not in client.stream.read()


def test_the_head_goes_out_before_the_body_has_come(storefront: Storefront, proxy: Address) -> None:
    heard = threading.Event()

    def say(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"):
            assert heard.wait(10)
            heard.clear()
            connection.sendall(piece)
        return True

    storefront.answer("slow", say)
    with Client(proxy) as client:
        client.send(request("/events", "X-Answer: slow"))
        while client.stream.readline().strip():
            pass
        for expected in (b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"):
            heard.set()
            assert client.stream.read(len(expected)) == expected


def test_a_storefront_that_is_down_is_a_502() -> None:
    with under_gunicorn(f"http://127.0.0.1:{free_port()}") as proxy:
        told = ask(proxy, request("/"))
        shown = ask(proxy, request("/", HTML))
        head = ask(proxy, request("/", method="HEAD"))
    assert told.status == shown.status == head.status == 502
    assert told.values("content-type") == ["application/problem+json"]
    assert json.loads(told.body)["status"] == 502
    assert b"127.0.0.1" not in told.body
    assert shown.values("content-type") == ["text/html; charset=utf-8"]
    assert told.values("server") == []
    assert head.body == b""


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nno field\r\n\r\n"])
def test_no_answer_or_nonsense_is_a_502(storefront: Storefront, proxy: Address, raw: bytes) -> None:
    storefront.answer("nonsense", say_and_hang_up(raw))
    assert ask(proxy, request("/", "X-Answer: nonsense")).status == 502
    assert len(storefront.seen) == 1, "nothing is sent twice"


def test_switching_protocols_unasked_is_a_502(storefront: Storefront, proxy: Address) -> None:
    storefront.answer("101", say_and_hang_up(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
    assert ask(proxy, request("/", "X-Answer: 101", "Connection: Upgrade", "Upgrade: x")).status == 502


def test_a_storefront_that_takes_too_long_is_a_504(storefront: Storefront, impatient: Gunicorn) -> None:
    over = threading.Event()

    def say(_: socket.socket) -> bool:
        over.wait(10)
        return False

    storefront.answer("late", say)
    try:
        assert ask(impatient.address, request("/", "X-Answer: late")).status == 504
        assert ask(impatient.address, request("/")).status == 200, "and its connection is given back"
    finally:
        over.set()


def test_more_requests_than_connections_are_told_to_come_back(storefront: Storefront, impatient: Gunicorn) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"1\r\n.\r\n")
        connection.sendall(b"0\r\n\r\n")
        return True

    storefront.answer("drip", drip)
    with Client(impatient.address) as client:
        client.send(request("/", "X-Answer: drip"))
        client.stream.readline()
        busy = ask(impatient.address, request("/"))
        over.set()
    assert busy.status == 503
    assert busy.values("retry-after") == ["1"]


def test_an_early_answer_arrives_while_the_body_is_still_sent(storefront: Storefront, proxy: Address) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\n" + HEAD + b"Content-Length: 3\r\nConnection: close\r\n\r\nno\n"
    done = threading.Event()

    def refuse(connection: socket.socket) -> bool:
        connection.sendall(refusal)
        done.wait(10)  # neither reads the rest nor closes
        return False

    storefront.answer("413", refuse, early=True)
    body = b"x" * 30_000_000
    with Client(proxy) as client:
        sender = threading.Thread(target=client.send, args=(request("/", "X-Answer: 413", method="POST", body=body),))
        sender.start()
        got = client.receive("POST")
        done.set()
        sender.join(10)
    assert (got.status, got.body) == (413, b"no\n")


def test_a_client_that_leaves_takes_the_storefronts_connection_with_it(storefront: Storefront, proxy: Address) -> None:
    before = set(storefront.open)
    gone = threading.Event()

    def pour(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: 999999999\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            gone.set()
            raise

    storefront.answer("pour", pour)
    with Client(proxy) as client:
        client.send(request("/", "X-Answer: pour"))
        client.stream.read(100_000)
    assert gone.wait(10)
    eventually(lambda: storefront.open <= before, what="the connection is closed")


@pytest.mark.parametrize("chunked", [False, True], ids=["fixed", "chunked"])
def test_a_request_that_breaks_off_never_looks_complete(storefront: Storefront, proxy: Address, chunked: bool) -> None:
    with Client(proxy) as client:
        client.send(request("/buy", method="POST", body=b"x" * 300_000, chunked=chunked)[:-200_000])
    eventually(lambda: storefront.broken == ["/buy"], what="the storefront notices")
    assert storefront.seen == []


def test_a_body_shorter_than_announced_is_the_clients_fault(storefront: Storefront, proxy: Address) -> None:
    with Client(proxy) as client:
        client.send(request("/buy", "Content-Length: 10", method="POST") + b"12345")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive("POST").status == 400
    assert storefront.seen == []


def test_a_tunnel_is_refused(storefront: Storefront, proxy: Address) -> None:
    assert ask(proxy, request("shop.test:443", method="CONNECT")).status == 501
    assert storefront.seen == []


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_a_body_of_any_length_needs_little_memory(storefront: Storefront, up: bool) -> None:
    size = 100 * 1024 * 1024

    def pour(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            connection.sendall(bytes(65536))
        return True

    storefront.answer("pour", pour)
    with Gunicorn(storefront.url) as proxy:
        ask(proxy.address, request("/"))
        before = peak_memory(proxy)
        if up:
            got = ask(proxy.address, request("/", method="POST", body=bytes(size)))
        else:
            got = ask(proxy.address, request("/", "X-Answer: pour"))
            assert len(got.body) == size
        assert got.status == 200
        assert peak_memory(proxy) - before < 10 * 1024


def peak_memory(server: Gunicorn) -> int:
    """The most memory that any of its processes ever had, in KiB."""
    return max(
        int(line.split()[1])
        for pid in server.processes()
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
