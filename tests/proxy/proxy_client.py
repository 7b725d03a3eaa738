"""A client for tests that sends raw bytes and reads the answer without a library's opinions."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

Fields = list[tuple[str, str]]

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "trailer", "te", "upgrade", "proxy-connection"}

BROKEN = b"<broken off>"
"""Stands at the end of a body that did not end as announced."""


@dataclass
class Answer:
    """One answer as it came over the wire."""

    status: int
    reason: str
    headers: Fields
    body: bytes = b""
    interim: list[tuple[int, Fields]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of a field, in order."""
        return [value for sent, value in self.headers if sent.lower() == name.lower()]

    @property
    def meaning(self) -> tuple[int, str, dict[str, list[str]], bytes]:
        """What two answers must have in common to be the same."""
        return self.status, self.reason, by_name(self.headers), self.body


def by_name(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """End-to-end fields, by name: only the order of those with one name has a meaning."""
    named = defaultdict(list)
    for name, value in fields:
        if name.lower() not in HOP_BY_HOP:
            named[name.lower()].append(value)
    return dict(named)


class Client:
    """One connection; several requests may follow each other on it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.stream = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, raw: bytes) -> None:
        """Send bytes; a server that has heard enough is no error."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(raw)

    def receive(self, method: str = "GET") -> Answer:
        """Read one answer to a request of this method, interim ones included."""
        interim = []
        while (answer := self._head()).status < 200:
            interim.append((answer.status, answer.headers))
        answer.interim = interim
        answer.body = b"".join(self._body(method, answer))
        return answer

    def _head(self) -> Answer:
        line = self.stream.readline().decode("latin-1").rstrip("\r\n")
        assert line.startswith("HTTP/1."), f"no answer but {line!r}"
        _, status, *reason = line.split(" ", 2)
        return Answer(int(status), "".join(reason), self._fields())

    def _fields(self) -> Fields:
        fields = []
        while line := self.stream.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name, value.strip()))
        return fields

    def _body(self, method: str, answer: Answer) -> Iterable[bytes]:
        names = {name.lower(): value for name, value in answer.headers}
        if method == "HEAD" or answer.status in {204, 304}:
            return
        if names.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks()
        elif "content-length" in names:
            yield from self._exactly(int(names["content-length"]))
        else:
            yield from self._until_the_end()

    def _chunks(self) -> Iterable[bytes]:
        while size := self.stream.readline().split(b";")[0].strip():
            if int(size, 16) == 0:
                self._fields()
                return
            yield from self._exactly(int(size, 16))
            self.stream.readline()
        yield BROKEN

    def _exactly(self, length: int) -> Iterable[bytes]:
        with suppress(ConnectionResetError):
            data = self.stream.read(length)
            yield data
            length -= len(data)
        if length:
            yield BROKEN

    def _until_the_end(self) -> Iterable[bytes]:
        try:
            while piece := _read_some(self.stream):
                yield piece
        except ConnectionResetError:
            yield BROKEN


def _read_some(stream: BinaryIO) -> bytes:
    return stream.read1(65536)  # type: ignore[attr-defined, no-any-return]


def ask(address: tuple[str, int], raw: bytes) -> Answer:
    """Send one raw request on a connection of its own and read the answer."""
    with Client(address) as client:
        client.send(raw)
        return client.receive(raw.split(b" ", 1)[0].decode())


def request(
    target: str = "/", *fields: str, method: str = "GET", body: bytes | None = None, chunked: bool = False
) -> bytes:
    """A raw request: ``fields`` are lines such as ``"Cookie: a=1"``."""
    lines = [f"{method} {target} HTTP/1.1", "Host: shop.test", *fields]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in _parts(body or b"")) + b"0\r\n\r\n"
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def _parts(body: bytes) -> Iterable[bytes]:
    return (body[at : at + 100_003] for at in range(0, len(body), 100_003))
