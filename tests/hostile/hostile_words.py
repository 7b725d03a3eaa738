"""What a hostile request is, how it is sent, and what came of it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

Address = tuple[str, int]
SKU = "kettle"
AT_ONCE = 8
_PATIENCE = 30.0
_BEFORE_GIVING_UP = 0.4
"""Seconds after which a client that hears nothing ends its side, so that nobody waits for what never comes."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_MARK = "X-Mark"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile request; ``{mark}`` stands where its mark goes."""

    what: str
    raw: bytes
    may_pass: bool = False
    """Whether the storefront may see it, as long as its path could not be taken for a purchase."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client was told: the statuses of all answers on its connection."""

    case: Case
    mark: str
    statuses: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.case.what}: {self.statuses} {self.case.raw[:200]!r}"


def request(
    method: str, target: str, *fields: str | bytes, body: bytes = b"", length: bool = True, version: str = "1.1"
) -> bytes:
    """A request with its mark, byte for byte as given; text goes out as UTF-8."""
    lines = [f"{method} {target} HTTP/{version}", "Host: shop.test", f"{_MARK}: {{mark}}", *fields]
    if length and (body or method not in ("GET", "HEAD")):
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\r\n\r\n" + body


def send_all(address: Address, cases: Iterable[Case], cookie: str) -> list[Outcome]:
    """Send them, several at a time, each on a connection of its own; ``cookie`` is a real buyer's."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda numbered: _send(address, numbered[1], f"m{numbered[0]}", cookie), enumerate(cases)))


def _send(address: Address, case: Case, mark: str, cookie: str) -> Outcome:
    raw = case.raw.replace(b"{mark}", mark.encode()).replace(b"{cookie}", cookie.encode())
    return Outcome(case, mark, tuple(int(status) for status in _STATUS.findall(_told(address, raw))))


def _told(address: Address, raw: bytes) -> bytes:
    told = b""
    with socket.create_connection(address, timeout=_PATIENCE) as connection, suppress(OSError):
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(raw)
        connection.settimeout(_BEFORE_GIVING_UP)
        patient = False
        while True:
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                if patient:
                    raise
                patient = True
                connection.settimeout(_PATIENCE)
                connection.shutdown(socket.SHUT_WR)
                continue
            if not piece:
                return told
            told += piece
    return told


def marks_of(requests: Sequence[object]) -> dict[str, object]:
    """The requests that the storefront saw, by their marks."""
    return {request.headers.get(_MARK.lower(), ""): request for request in requests}  # type: ignore[attr-defined]
