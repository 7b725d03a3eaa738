"""A Redis sells only what it is known to have: another one, or an older state of it, refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from ledger_words import PREFIX, SKU, Sale, new_order_id, within
from stack import Redis, Server, Valkey

from seckill_sidecar.adapters.ledger import Fence
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import LedgerUntrusted, StoreDown
from seckill_sidecar.model import Verdict

Open = Callable[..., Sale]


class Database:
    """What a database that took part would say; counts how often it is asked."""

    def __init__(self) -> None:
        self.seen: tuple[int, int] = (0, 0)
        self.asked = 0
        self.down = False

    def high_water(self, _: str) -> tuple[int, int]:
        self.asked += 1
        if self.down:
            raise StoreDown("database", "gone")
        return self.seen


@pytest.fixture(params=[Redis, Valkey])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def sale(server: Server) -> Iterator[Sale]:
    with ExitStack() as stack:
        sale = Sale(server.url)
        stack.callback(sale.close)
        sale.database = Database()  # type: ignore[attr-defined]
        sale.clock = ManualClock()  # type: ignore[attr-defined]
        sale.ledger._fence = Fence(sale.database.high_water, sale.clock)  # type: ignore[attr-defined]
        sale.open_sale(10, per_buyer=10)
        yield sale


def database_has_all(sale: Sale) -> None:
    sale.database.seen = (1, sale.item().seq)  # type: ignore[attr-defined]


def test_a_redis_that_restarted_with_everything_intact_reopens_by_itself(server: Server, sale: Sale) -> None:
    sale.order_of("ann")
    database_has_all(sale)
    server.kill()
    server.start()
    assert sale.buy("ben").verdict is Verdict.ACCEPTED
    assert sale.database.asked == 1  # type: ignore[attr-defined]
    assert sale.buy("cid").verdict is Verdict.ACCEPTED
    assert sale.database.asked == 1  # type: ignore[attr-defined]
    sale.expect_balanced()


def test_a_redis_that_is_behind_the_database_refuses(server: Server, sale: Sale) -> None:
    order = sale.order_of("ann")
    sale.database.seen = (1, 2)  # type: ignore[attr-defined]
    server.kill()
    server.start()
    with pytest.raises(LedgerUntrusted, match="behind the database"):
        sale.buy("ben")
    with pytest.raises(LedgerUntrusted, match="unverified"):
        sale.settle(order, "paid")
    assert sale.item().free == 9


def test_an_item_that_the_database_saw_in_a_later_epoch_is_refused(server: Server, sale: Sale) -> None:
    sale.database.seen = (2, 0)  # type: ignore[attr-defined]
    server.kill()
    server.start()
    with pytest.raises(LedgerUntrusted, match="behind the database"):
        sale.buy()


def test_while_the_database_is_down_it_refuses_and_then_reopens(server: Server, sale: Sale) -> None:
    sale.database.down = True  # type: ignore[attr-defined]
    server.kill()
    server.start()
    for _ in range(5):
        with pytest.raises(LedgerUntrusted, match="can't be known"):
            sale.buy()
    assert sale.database.asked == 1  # type: ignore[attr-defined]
    sale.database.down = False  # type: ignore[attr-defined]
    sale.clock.advance(1)  # type: ignore[attr-defined]
    assert sale.buy().verdict is Verdict.ACCEPTED


def test_an_older_state_put_back_into_the_same_server_is_noticed_by_who_sold_from_it(sale: Sale) -> None:
    sale.order_of("ann")
    old = {key: sale.ask("DUMP", key) for key in sale.ask("KEYS", f"{PREFIX}:*")}
    sale.order_of("ben")
    sale.ask("FLUSHALL")
    for key, dump in old.items():
        sale.ask("RESTORE", key, 0, dump)
    refused = sale.buy("cid")
    assert (refused.verdict, refused.reason) == (Verdict.UNAVAILABLE, "older than what was sold from it")
    assert sale.item().free == 9


def test_a_purchase_packed_for_the_old_server_is_not_run_as_verified_on_the_new_one(server: Server, sale: Sale) -> None:
    sale.database.down = True  # type: ignore[attr-defined]
    sale.order_of("ann")
    server.kill()
    server.start()
    with pytest.raises(LedgerUntrusted):
        sale.ledger.seal(new_order_id(SKU), within())
    assert sale.item().seq == 1
