"""A server that can't write, or can't be believed: the sale stops, tells the truth, and goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from ledger_words import SKU, Sale, new_order_id, run_at_once, within
from stack import Redis, eventually

from seckill_sidecar.errors import OutcomeUnknown, StoreDown
from seckill_sidecar.model import Verdict

pytestmark = pytest.mark.gevent_too

Open = Callable[..., Sale]


@pytest.fixture
def open_ledger() -> Iterator[Open]:
    """``open_ledger(url)``: a ledger on a server of one's own."""
    with ExitStack() as opened:

        def start(url: str, timeout: float = 5.0) -> Sale:
            sale = Sale(url, timeout=timeout)
            opened.callback(sale.close)
            return sale

        yield start


def expect_down(sale: Sale, text: str, order_id: str) -> None:
    """No sale, no settlement, no item: each says so, and changes nothing."""
    before = sale.everything()
    for attempt in (
        lambda: sale.buy("ben"),
        lambda: sale.buy("ben", key="k"),
        lambda: sale.settle(order_id, "paid"),
        lambda: sale.settle(order_id, "cancelled"),
        lambda: sale.seal(new_order_id()),
        lambda: sale.add(1),
        lambda: sale.open_sale(sku="boot"),
    ):
        with pytest.raises(StoreDown, match=text):
            attempt()
    assert sale.everything() == before


def test_out_of_memory_nothing_is_sold_and_nothing_is_half_done(
    private_server: Callable[..., Redis], open_ledger: Open
) -> None:
    sale = open_ledger(private_server(maxmemory_policy="noeviction").url)
    sale.open_sale()
    order = sale.order_of()
    sale.ask("CONFIG", "SET", "maxmemory", 1)
    expect_down(sale, "memory", order.id)
    sale.ask("CONFIG", "SET", "maxmemory", 0)
    sale.order_of("ben")
    sale.expect_balanced()


def test_a_replica_sells_nothing_and_says_that_it_is_one(
    private_server: Callable[..., Redis], open_ledger: Open
) -> None:
    main, replica = private_server(repl_diskless_sync_delay="0"), private_server()
    source = open_ledger(main.url)
    source.open_sale()
    order_id = source.order_of().id
    sale = open_ledger(replica.url)
    sale.ask("REPLICAOF", "127.0.0.1", main.port)
    eventually(lambda: sale.ledger.item(SKU, within()), what="the replica has the item")
    eventually(lambda: sale.order(order_id), what="the replica has the order")
    expect_down(sale, "read only", order_id)
    assert any("replica" in problem for problem in sale.ledger.check(within()))


def test_a_server_that_wants_more_replicas_sells_nothing(
    private_server: Callable[..., Redis], open_ledger: Open
) -> None:
    sale = open_ledger(private_server().url)
    sale.open_sale()
    order = sale.order_of()
    sale.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    expect_down(sale, "replicas", order.id)


@pytest.mark.parametrize("commands", [["ZADD"], ["HSET", "XADD"], []])
def test_the_check_names_what_the_user_may_not_do_before_an_order_is_left_half_done(
    private_server: Callable[..., Redis], open_ledger: Open, commands: list[str]
) -> None:
    server = private_server()
    forbidden = [f"-{command}" for command in commands]
    open_ledger(server.url).ask("ACL", "SETUSER", "gate", "on", ">pass", "~*", "+@all", *forbidden)
    sale = open_ledger(server.url.replace("redis://", "redis://gate:pass@"))
    problems = sale.ledger.check(within())
    assert len(problems) == bool(commands)
    assert all(" ".join(commands) in problem for problem in problems)


def test_a_lost_script_cache_is_not_noticed_in_mid_sale(sale: Sale) -> None:
    sale.open_sale(100, per_buyer=100)
    over = threading.Event()

    def flush() -> None:
        while not over.is_set():
            sale.ask("SCRIPT", "FLUSH")

    def shop(buyer: str) -> None:
        for _ in range(10):
            sale.settle(sale.order_of(buyer), "paid")

    def shop_all() -> None:
        try:
            run_at_once(*[lambda buyer=f"buyer-{n}": shop(buyer) for n in range(10)])
        finally:
            over.set()

    run_at_once(flush, shop_all)
    assert sale.expect_balanced().paid == 100


def test_a_kill_in_mid_sale_loses_no_order_and_sells_none_twice(server: Redis, open_ledger: Open) -> None:
    sale = open_ledger(server.url, timeout=1.0)
    sale.open_sale(1000, per_buyer=1000)
    told: dict[str, set[Verdict]] = {}
    begun, restarted = threading.Event(), threading.Event()

    def shop(buyer: str) -> None:
        for _ in range(30):
            order_id = new_order_id()
            told[order_id] = set()
            while not told[order_id]:
                try:
                    told[order_id].add(sale.buy(buyer, order_id=order_id).verdict)
                except (OutcomeUnknown, StoreDown):
                    assert restarted.wait(20)
            begun.set()

    def kill_and_restart() -> None:
        assert begun.wait(20)
        server.kill()
        server.start()
        assert sale.ledger.verify(SKU, 0, 0, within())
        restarted.set()

    run_at_once(kill_and_restart, *[lambda buyer=f"buyer-{n}": shop(buyer) for n in range(10)])
    assert set(sale.orders()) == set(told)
    assert all(verdicts == {Verdict.ACCEPTED} for verdicts in told.values())
    assert sale.expect_balanced().held == 300
