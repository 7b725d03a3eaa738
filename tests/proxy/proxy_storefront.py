"""A storefront for tests: it answers with the very bytes it was told to, and keeps what it was asked.

A request's ``X-Answer`` field names the answer. Raw sockets, so that it can do what no HTTP library would.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from stack import eventually

HEAD = b"Server: legacy/1.0\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
"""What a well-behaved storefront sends with every answer."""

Script = Callable[[socket.socket], bool]
"""Answers on the socket; returns whether the connection may stay."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    size: int
    digest: str

    def values(self, name: str) -> list[str]:
        """The values of a field, in order."""
        return [value for sent, value in self.headers if sent.lower() == name.lower()]


@dataclass
class Storefront:
    """Listens on a free port from ``with`` on. ``seen`` is every whole request, in the order of their ends."""

    seen: list[Seen] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Targets of requests that broke off."""
    made: int = 0
    """Connections ever accepted."""
    open: set[socket.socket] = field(default_factory=set)
    """Connections that neither side has closed."""
    _answers: dict[str, tuple[Script, bool]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # wakes the acceptor, which close() alone would not
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(5)
        self._listener.close()
        self.drop_connections()
        eventually(lambda: not self.open, what="the storefront's connections are closed")

    def answer(self, name: str, how: bytes | Script, *, early: bool = False) -> str:
        """Answer requests for ``name`` so; ``early`` does it before their body is read, and then hangs up."""
        script = how if callable(how) else _say(how)
        self._answers[name] = (script, early)
        return name

    def drop_connections(self) -> None:
        """Close every connection from this side."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(30)
                self.made += 1
                self.open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream, suppress(OSError):
                while self._exchange(connection, stream):
                    pass
        finally:
            self.open.discard(connection)

    def _exchange(self, connection: socket.socket, stream: BinaryIO) -> bool:
        line = stream.readline()
        if not line:
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = _fields(stream)
        name = next((value for name, value in headers if name.lower() == "x-answer"), "")
        script, early = self._answers.get(name, (_say(_OK), False))
        if early:
            script(connection)
            return False
        if any(value.lower() == "100-continue" for _, value in headers):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            size, digest = _read_body(stream, headers)
        except ConnectionAbortedError:
            self.broken.append(target)
            raise
        self.seen.append(Seen(method, target, headers, size, digest))
        return script(connection)


_OK = b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: 3\r\nContent-Type: text/plain\r\n\r\nok\n"


def _say(answer: bytes) -> Script:
    def say(connection: socket.socket) -> bool:
        connection.sendall(answer)
        return True

    return say


def _fields(stream: BinaryIO) -> list[tuple[str, str]]:
    fields = []
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    return fields


def _read_body(stream: BinaryIO, headers: list[tuple[str, str]]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    names = {name.lower(): value for name, value in headers}
    if "transfer-encoding" in names:
        while length := int(_line(stream).split(b";")[0], 16):
            digest.update(_exactly(stream, length))
            size += length
            _line(stream)
        _fields(stream)  # trailers
    elif length := int(names.get("content-length", "0")):
        digest.update(_exactly(stream, length))
        size = length
    return size, digest.hexdigest()


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ConnectionAbortedError("the request's body broke off")
    return line


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise ConnectionAbortedError("the request's body broke off")
    return data
