"""Whether an order is written, for who only asks once: those who ask at the same moment share one question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.results.hub import CHUNK
from seckill_sidecar.model import Order


class Gathered:
    """Asks for the orders of all who come while another question is under way, when that is answered."""

    def __init__(self, ask: Callable[[Sequence[str]], Iterable[Order]]) -> None:
        """``ask`` finds those of these orders that are written; raises ``StoreError``."""
        self._ask = ask
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._next = _Question()

    def order(self, order_id: str) -> Order | None:
        """The order as it is written, or None; raises ``StoreError`` if that can't be told."""
        with self._lock:
            if len(self._next.order_ids) >= CHUNK:
                self._next = _Question()
            question = self._next
            question.order_ids.append(order_id)
        with self._turn:
            if not question.done:
                with self._lock:
                    if self._next is question:
                        self._next = _Question()
                question.put(self._ask)
        return question.answer(order_id)


class _Question:
    """For some orders at once: whoever of those who ask gets the turn first puts it."""

    def __init__(self) -> None:
        self.order_ids: list[str] = []
        self.done = False
        self._found: dict[str, Order] = {}
        self._error: StoreError | None = None

    def put(self, ask: Callable[[Sequence[str]], Iterable[Order]]) -> None:
        self.done = True
        try:
            self._found = {order.id: order for order in ask(self.order_ids)}
        except StoreError as error:
            self._error = error

    def answer(self, order_id: str) -> Order | None:
        if self._error is not None:
            raise self._error
        return self._found.get(order_id)
