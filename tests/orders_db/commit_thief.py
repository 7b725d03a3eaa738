"""A TCP proxy before a MySQL server that, once armed, lets the next COMMIT through and keeps its reply to itself."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class CommitThief:
    """``with CommitThief(url) as thief:`` connect to ``thief.url``; ``thief.arm()`` before the COMMIT to be cut off."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._armed = threading.Event()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.stolen = 0
        self.url = url.replace(f":{parts.port}/", f":{self._listening.getsockname()[1]}/")

    def arm(self) -> None:
        """Steal the next reply."""
        self._armed.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    def _start(self, target, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._listening], [], [], 0.05)[0]:
                client, _ = self._listening.accept()
                self._start(self._pass_on, client, socket.create_connection(self._server, 5))

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while not self._over.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)
                    if ready is client and data[5:] == b"COMMIT" and self._armed.is_set():
                        self._armed.clear()
                        server.recv(1 << 16)  # it is committed when this comes
                        self.stolen += 1
                        return
