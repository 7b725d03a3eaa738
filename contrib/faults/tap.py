"""A TCP proxy before a store that can lose or delay the replies to what it is told to look for."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

_LOOK_EVERY_S = 0.2
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Spoil:
    """What happens to the replies to requests that contain ``match``."""

    match: bytes
    how: Literal["mute", "hang up", "delay"]
    """``mute``: the connection stays and says nothing more. ``hang up``: it ends once the server has answered."""
    every: int = 1
    """Only each so-manieth request."""
    seconds: float = 0.0


class Tap:
    """``with Tap(server.address) as tap:`` connect to ``tap.port``; ``tap.spoil(...)`` until ``tap.calm()``."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._over = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="tap", daemon=True)
        self._spoil: Spoil | None = None
        self._seen = 0
        self._lock = threading.Lock()
        self.spoiled = 0
        """Replies that were lost or delayed."""
        self.port: int = self._listening.getsockname()[1]

    def spoil(self, spoil: Spoil) -> None:
        """From now on."""
        self._spoil, self._seen, self.spoiled = spoil, 0, 0

    def calm(self) -> None:
        """Pass everything on as it comes."""
        self._spoil = None

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._accepting.join(10)
        self._listening.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._listening], [], [], _LOOK_EVERY_S)[0]:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), name="tapped", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._server, 5) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        spoil: Spoil | None = None
        while not self._over.is_set():
            for ready in select.select([client, server], [], [], _LOOK_EVERY_S)[0]:
                data = ready.recv(_CHUNK)
                if not data:
                    return
                if ready is client:
                    spoil = spoil if spoil and spoil.how == "mute" else self._judge(data)
                    server.sendall(data)
                elif spoil is None:
                    client.sendall(data)
                elif spoil.how == "hang up":
                    return
                elif spoil.how == "delay":
                    time.sleep(spoil.seconds)
                    client.sendall(data)

    def _judge(self, data: bytes) -> Spoil | None:
        spoil = self._spoil
        if spoil is None or spoil.match not in data:
            return None
        with self._lock:
            self._seen += 1
            if self._seen % spoil.every:
                return None
            self.spoiled += 1
            return spoil
