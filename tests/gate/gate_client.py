"""An HTTP client for tests: sends what it is told byte for byte, reads the answer without opinions."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

Address = tuple[str, int]
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
PATIENCE = 20.0
"""Seconds for any answer; what has to come sooner is asserted where it has to."""


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """The values of a field, in order."""
        return [value for sent, value in self.headers if sent.lower() == name.lower()]

    def value(self, name: str) -> str:
        """The only value of a field."""
        (only,) = self.values(name)
        return only

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(
    address: Address,
    target: str,
    *fields: str,
    method: str = "POST",
    body: bytes = b"",
    chunked: bool = False,
    source: str = "127.0.0.1",
) -> Answer:
    """Send one request on a connection of its own; ``fields`` are lines such as ``"Cookie: a=1"``."""
    return send(address, written(target, *fields, method=method, body=body, chunked=chunked), method, source)


def written(target: str, *fields: str, method: str = "POST", body: bytes = b"", chunked: bool = False) -> bytes:
    """The request as bytes. Non-ASCII text in ``target`` and ``fields`` goes out as Latin-1."""
    lines = [f"{method} {target} HTTP/1.1", *fields, "Connection: close"]
    if not any(field.lower().startswith("host:") for field in fields):
        lines.insert(1, "Host: shop.test")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _halves(body)) + b"0\r\n\r\n"
    elif method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def send(address: Address, raw: bytes, method: str = "POST", source: str = "127.0.0.1") -> Answer:
    """Send bytes and read one answer. A server that answers before it has read all is no error."""
    with socket.create_connection(address, timeout=PATIENCE, source_address=(source, 0)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(raw)
        with HTTPResponse(connection, method=method) as response:
            response.begin()
            return Answer(response.status, response.getheaders(), response.read())


def _halves(body: bytes) -> Iterable[bytes]:
    middle = len(body) // 2
    return [part for part in (body[:middle], body[middle:]) if part]
