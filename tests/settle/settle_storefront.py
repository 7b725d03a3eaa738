"""A legacy site for tests: it answers as a request's ``X-Answer`` says, and remembers what it saw."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    body: bytes


class Storefront:
    """Listens while it is entered. Its answer is streamed in pieces, so that nobody can know its end too early."""

    pieces = (b"the shop's ", b"own ", b"words")

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        storefront = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                storefront.seen.append(Seen(self.command, self.path, body))
                self.send_response(int(self.headers.get("X-Answer", "200")), "As Asked")
                self.send_header("Location", "/thanks")
                self.send_header("X-Twice", "1")
                self.send_header("X-Twice", "2")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in (*storefront.pieces, b""):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
