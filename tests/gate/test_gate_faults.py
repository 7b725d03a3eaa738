"""The whole real stack in mid-sale, with one of its stores standing still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from gate_plugs import COMMAND, Plug, Program, Sidecar
from gate_sale import Sale, going_on
from gate_site import Shop, open_shop
from gate_trouble import IMPATIENT, SLACK, breaker_states, expect_truth, in_time
from stack import MariaDB, RabbitMQ, Redis, Server, eventually

IN_THE_DATABASE_WITHIN = 30.0
REQUEST = 3.0
"""Seconds for a purchase, as is the default."""
NAME = "whole-stack"


class Worker(Program):
    """``seckill-sidecar relay`` or ``writer``."""

    def __init__(self, name: str, plug: Plug) -> None:
        self.name = name  # type: ignore[misc]
        super().__init__()
        self._config = plug.config

    def command(self) -> list[str]:
        return [*COMMAND, self.name, "-c", str(self._config)]

    def answers(self) -> bool:
        return True


@dataclass
class Stack:
    """A site with everything that belongs to it."""

    shop: Shop
    redis: Redis
    rabbit: RabbitMQ
    mariadb: MariaDB

    def heal(self) -> None:
        """All stores run."""
        for server in (self.redis, self.rabbit, self.mariadb):
            server.heal()


@pytest.fixture(scope="module")
def _stack(rabbit_server: RabbitMQ) -> Iterator[Stack]:
    with ExitStack() as running:
        redis = running.enter_context(Redis(appendonly="yes", appendfsync="always"))
        mariadb = running.enter_context(MariaDB())
        settings = IMPATIENT | {
            "serve": {"workers": 2},
            "stores": {
                "redis": redis.url,
                "broker": rabbit_server.url,
                "database": mariadb.create_database("shop"),
            },
            "broker": {part: f"{NAME}.{part}" for part in ("exchange", "queue", "parked")},
            "timeouts": {"request": f"{REQUEST:g}s", "ledger": "500ms", "broker": "1s"},
            "limits": {"buyer": "off", "address": "off"},
            "log": {"level": "info"},
        }
        shop = open_shop(running, Sidecar.name, settings, redis.url)
        for worker in ("relay", "writer"):
            running.enter_context(Worker(worker, shop.plug))
        yield Stack(shop, redis, rabbit_server, mariadb)


@pytest.fixture
def stack_(_stack: Stack) -> Iterator[Stack]:
    """The whole stack, running."""
    _stack.heal()
    yield _stack
    _stack.heal()


def expect_written(stack_: Stack, sale: Sale) -> None:
    """The database comes to have the orders of the ledger, those and no others, each once."""
    sold = {order.id: order.buyer for order in stack_.shop.orders(sale.sku)}
    assert len(set(sold.values())) == len(sold), "a buyer who asked twice has one order"
    eventually(
        lambda: sorted(order.id for order in stack_.shop.site.orders.orders(sale.sku)) == sorted(sold),
        IN_THE_DATABASE_WITHIN,
        "the orders of the ledger, each once, are in the database",
    )
    assert list(stack_.shop.site.orders.parked()) == []
    assert set(sale.accepted.values()) <= set(sold)
    assert stack_.shop.view(sale.sku).held == len(sold)


def expect_all_told_the_truth(sale: Sale) -> None:
    for buyer, answer in sale.answers.items():
        repeat = sale.repeats.get(buyer, answer)
        expect_truth(sale.shop, sale.sku, buyer, answer, repeat)


@pytest.mark.parametrize("store", ["rabbit", "mariadb"])
def test_sales_go_on_while_a_store_behind_the_ledger_stands_still(stack_: Stack, store: str) -> None:
    still: Server = getattr(stack_, store)
    with going_on(stack_.shop) as sale:
        sale.await_more(20)
        still.pause()
        sale.await_more(50)
        still.resume()
        sale.await_more(20)
    assert {answer.status for answer in sale.answers.values()} == {201}
    assert {answer.status for answer in sale.repeats.values()} == {200}
    expect_written(stack_, sale)


@pytest.mark.parametrize("how", ["pause", "kill"])
def test_with_the_ledger_stopped_buyers_are_refused_in_time_until_it_is_back(stack_: Stack, how: str) -> None:
    with going_on(stack_.shop) as sale:
        sale.await_more(20)
        getattr(stack_.redis, how)()
        eventually(lambda: "closed -> open" in breaker_states(stack_.shop, "ledger"), 20, "the breaker opens")
        with in_time(REQUEST):
            answer = stack_.shop.buy(sale.sku, "late")
        assert answer.status == 503
        stack_.redis.heal()
        sale.await_more(20, within=10 + SLACK)
        # While somebody buys: on a busy machine it may open once more, and only a call closes it.
        eventually(lambda: breaker_states(stack_.shop, "ledger")[-1].endswith("closed"), 20, "the breaker closes")
    sale.answers["late"] = answer
    assert {answer.status for answer in sale.answers.values()} == {201, 503}
    expect_all_told_the_truth(sale)
    expect_written(stack_, sale)
