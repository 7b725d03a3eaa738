"""A server that answers as a test tells it to: the far end of the demo's player, or what nginx stands before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Request], bytes | None]
"""Returns the raw bytes of an answer; None hangs up without one."""


@dataclass
class Scripted:
    """A running server and what it was asked."""

    address: tuple[str, int]
    requests: list[Request] = field(default_factory=list)


@contextmanager
def answering(answer: Answering) -> Iterator[Scripted]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    scripted = Scripted(("127.0.0.1", 0))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 10

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            target = self.requestline.split()[1]  # self.path has leading slashes folded
            request = Request(self.command, target, headers, self.rfile.read(length))
            scripted.requests.append(request)
            raw = answer(request)
            self.close_connection = raw is None or b"Connection: close" in raw
            self.wfile.write(raw or b"")

        do_POST = do_HEAD = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(scripted.address, Handler) as server:
        server.daemon_threads = True
        scripted.address = ("127.0.0.1", server.server_port)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield scripted
        finally:
            server.shutdown()
            serving.join(10)


def page(order: str) -> bytes:
    """The shop's page for a winner."""
    return reply(200, f'<p data-order="{order}">Order {order}</p>'.encode(), "text/html; charset=utf-8")


def problem(status: int, **members: str) -> bytes:
    """A refusal of the gate."""
    fields = ", ".join(f'"{name}": "{value}"' for name, value in members.items())
    return reply(status, f"{{{fields}}}".encode(), "application/problem+json")


def reply(status: int, body: bytes, kind: str = "text/plain", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} As Told", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body
