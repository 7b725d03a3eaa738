"""One client's keep-alive connection, over a plain socket: what a browser does, at a fraction of its cost.

``http.client`` spends more on a reply than the gate does, and would measure itself.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAX_LINE = 65_536


class BrokenLine(Exception):
    """No whole answer came: refused, reset, cut short, timed out, or not HTTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. Header names are in lower case; repeated ones stay repeated."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    lasting: bool
    """Whether another request may follow on the same connection."""

    def header(self, name: str) -> str:
        """The first header of that (lower case) name, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


class Line:
    """A connection to ``address`` that is opened when first needed and again after the server closed it."""

    def __init__(self, address: tuple[str, int], timeout: float = 45.0) -> None:
        self._address = address
        self._timeout = timeout
        self._file: BinaryIO | None = None
        self._socket: socket.socket | None = None

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send one request and return its answer; raises ``BrokenLine``."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address[0]}:{self._address[1]}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join([*lines, "", ""]).encode() + body
        try:
            reply = self._exchange(request, method == "HEAD")
        except (OSError, ValueError) as error:
            self.close()
            raise BrokenLine(f"{method} {path}: {error or type(error).__name__}") from error
        if not reply.lasting:
            self.close()
        return reply

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None and self._file is not None:
            self._file.close()
            self._socket.close()
        self._socket = self._file = None

    def _exchange(self, request: bytes, bodiless: bool) -> Reply:
        if self._socket is None or self._file is None:
            self._socket = socket.create_connection(self._address, timeout=self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._file = self._socket.makefile("rb")
        self._socket.sendall(request)
        return _read(self._file, bodiless)


def _read(file: BinaryIO, bodiless: bool) -> Reply:
    status = 100
    while status < 200:  # interim answers come before the real one
        version, _, rest = _line(file).partition(" ")
        if version != "HTTP/1.1":
            raise ValueError(f"no HTTP/1.1 answer: {version[:40]!r}")
        status = int(rest[:3])
        headers = tuple(iter(lambda: _header(file), ("", "")))
    named = dict(headers)
    bodiless = bodiless or status in (204, 304)
    framed = bodiless or "content-length" in named or "transfer-encoding" in named
    lasting = framed and named.get("connection", "").lower() != "close"
    return Reply(status, headers, b"" if bodiless else _body(file, named), lasting)


def _header(file: BinaryIO) -> tuple[str, str]:
    name, _, value = _line(file).partition(":")
    return name.lower(), value.strip()


def _body(file: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(iter(lambda: _chunk(file), b""))
    if "content-length" in headers:
        return _exactly(file, int(headers["content-length"]))
    return file.read()


def _chunk(file: BinaryIO) -> bytes:
    size = int(_line(file).partition(";")[0], 16)
    data = _exactly(file, size)
    while _line(file) and not size:  # the end of this chunk; after the last one, the trailers
        pass
    return data


def _line(file: BinaryIO) -> str:
    line = file.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("cut short" if line else "closed without an answer")
    return line.rstrip(b"\r\n").decode("latin-1")


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(f"cut short: {len(data)} of {size} bytes")
    return data
