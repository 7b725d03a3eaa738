"""A sale that goes on by itself: buyers come one after the other, several at a time, until the sale ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

from gate_client import Answer
from gate_site import Shop
from stack import eventually


class Sale:
    """What each buyer of one item was told, so far."""

    def __init__(self, shop: Shop, sku: str) -> None:
        self.shop = shop
        self.sku = sku
        self.answers: dict[str, Answer] = {}
        self.repeats: dict[str, Answer] = {}
        """What those were told who asked again with the same key."""
        self.over = threading.Event()
        self._numbers = count(1)

    @property
    def accepted(self) -> dict[str, str]:
        """Order ids of those who were told that they have one, by buyer."""
        told = self.answers.copy()  # in one step: the sale goes on meanwhile
        return {buyer: answer.json["order"] for buyer, answer in told.items() if answer.status == 201}

    def await_more(self, buyers: int = 10, within: float = 30.0) -> None:
        """Wait until so many more were accepted."""
        before = len(self.accepted)
        eventually(lambda: len(self.accepted) >= before + buyers, within, f"{buyers} more are accepted")

    def go_on(self) -> None:
        """Send buyers until the sale is over; each asks twice."""
        while not self.over.is_set():
            buyer = f"{self.sku}-{next(self._numbers)}"
            self.answers[buyer] = self.shop.buy(self.sku, buyer, key=buyer)
            self.repeats[buyer] = self.shop.buy(self.sku, buyer, key=buyer)


@contextmanager
def going_on(shop: Shop, total: int = 100_000, buyers: int = 4) -> Iterator[Sale]:
    """A sale of a new item, with so many buyers at the same moment; it is over at the end."""
    sale = Sale(shop, shop.open_sale(total=total))
    with ThreadPoolExecutor(buyers) as pool:
        crowd: list[Future[None]] = [pool.submit(sale.go_on) for _ in range(buyers)]
        try:
            yield sale
        finally:
            sale.over.set()
    for future in crowd:
        future.result()
