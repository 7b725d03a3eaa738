"""Buyers who wait for the results of their purchases: by Server-Sent Events, or by a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


@dataclass(slots=True)
class Heard:
    """What one of them has heard."""

    order_id: str
    status: int = 0
    news: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Each with the moment at which it came (monotonic)."""
    retries: list[int] = field(default_factory=list)
    """When to come back, in milliseconds, as often as that was said."""
    beats: int = 0
    """What was said without news."""
    close: int = 0
    """The code of a WebSocket's closing message."""
    ended: bool = False

    @property
    def written(self) -> list[float]:
        """When the final news came; once, or something is wrong."""
        return [at for at, members in self.news if members["written"]]


Listen = Callable[[tuple[str, int], str, Heard], Any]


async def events(address: tuple[str, int], path: str, heard: Heard) -> None:
    """Listen until the server ends it."""
    reader, writer = await _asked(address, path, heard, ["Accept: text/event-stream", "Connection: close"])
    try:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                heard.news.append((time.monotonic(), json.loads(line[6:])))
            elif line.startswith(b"retry: "):
                heard.retries.append(int(line[7:]))
            elif line.startswith(b":"):
                heard.beats += 1
        heard.ended = True
    finally:
        writer.close()


async def socket(address: tuple[str, int], path: str, heard: Heard) -> None:
    """The same through a WebSocket; answers pings as a browser does."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    reader, writer = await _asked(address, path, heard, upgrade)
    try:
        while heard.status == 101 and not heard.ended:
            opcode, payload = await _frame(reader)
            if opcode == _TEXT:
                heard.news.append((time.monotonic(), json.loads(payload)))
            elif opcode == _PING:
                heard.beats += 1
                _send(writer, _PONG, payload)
            elif opcode == _CLOSE:
                heard.close = int.from_bytes(payload[:2])
                _send(writer, _CLOSE, payload[:2])
                heard.ended = True
    finally:
        writer.close()


async def _asked(
    address: tuple[str, int], path: str, heard: Heard, fields: list[str]
) -> tuple[StreamReader, StreamWriter]:
    reader, writer = await asyncio.open_connection(*address, limit=16_384)
    host = f"Host: {address[0]}:{address[1]}"
    try:
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", host, *fields, "", ""]).encode())
        heard.status = int((await reader.readline()).split()[1])
        while await reader.readline() not in (b"\r\n", b""):
            pass
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _frame(reader: StreamReader) -> tuple[int, bytes]:
    first, length = await reader.readexactly(2)
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    return first & 0xF, await reader.readexactly(length)


def _send(writer: StreamWriter, opcode: int, payload: bytes) -> None:
    """A short frame, masked by zeros as a client's has to be masked by something."""
    writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
