"""Buyers who never stop buying, each on a connection that stays open as nginx's do, and what they were told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import count
from types import TracebackType
from typing import Self

from stack.ports import HOST

_PAUSE_S = 0.03
_PATIENCE_S = 60.0


class Crowd:
    """Buys kettles from its start to its end."""

    def __init__(self, port: int, token: Callable[[str], str], size: int = 4) -> None:
        self._port = port
        self._token = token
        self._numbers = count(1)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._buy, name=f"buyer-{number}") for number in range(size)]
        self.accepted: list[str] = []
        """The ids of the orders."""
        self.failed: list[str] = []
        """Every answer but "accepted", and every broken connection."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _buy(self) -> None:
        connection = HTTPConnection(HOST, self._port, timeout=_PATIENCE_S)
        while not self._end.wait(_PAUSE_S):
            try:
                self._buy_one(connection, f"buyer {next(self._numbers)}")
            except OSError as error:
                self.failed.append(repr(error))
                connection.close()
        connection.close()

    def _buy_one(self, connection: HTTPConnection, buyer: str) -> None:
        connection.request("POST", "/buy/kettle", headers={"Cookie": f"seckill_buyer={self._token(buyer)}"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status == 201:
            self.accepted.append(told["order"])
        else:
            self.failed.append(f"{answer.status} {told}")
