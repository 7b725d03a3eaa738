"""What the shield reads from a real ledger agrees with what the gate's script would say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from stack import Redis

from seckill_sidecar.adapters.ledger import Keys, RedisLedger, RedisStandings, connect_ledger, connect_standings
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Item, Purchase, State, Verdict
from seckill_sidecar.ports import Standing
from seckill_sidecar.settings.schema import LedgerSettings, Settings, Stores, Timeouts

CLOCK = SystemClock()
HOUR_MS = 3_600_000
KEYS = Keys("shield")


def soon() -> Deadline:
    return Deadline.after(5.0, CLOCK)


class Sale:
    """A ledger, and the shield's view of it."""

    def __init__(self, url: str) -> None:
        timeouts = Timeouts().model_copy(update={"ledger": 5.0, "connect": 5.0})
        settings = Settings(stores=Stores(redis=url), ledger=LedgerSettings(prefix=KEYS.prefix), timeouts=timeouts)
        self.ledger: RedisLedger = connect_ledger(settings, CLOCK)
        self.standings: RedisStandings = connect_standings(settings, CLOCK)

    def load(self, sku: str, total: int = 1, **fields: Any) -> None:
        self.ledger.load(Item(sku, total, **fields), soon())

    def buy(self, sku: str) -> str:
        order_id = f"{sku}~01JD8Z5V0N3Q6W9X2Y4T7R1KGM"
        assert self.ledger.reserve(Purchase(order_id, sku, "ann", 1), soon()).order is not None
        return order_id

    def stands(self, sku: str) -> Standing:
        (standing,) = self.standings.of([sku], soon())
        return standing

    def damage(self, sku: str, field: str, value: str) -> None:
        self.ledger._line.ask("HSET", KEYS.of(sku, "item"), field, value, deadline=soon())


@pytest.fixture
def sale(redis_url: str) -> Iterator[Sale]:
    sale = Sale(redis_url)
    yield sale
    sale.ledger.close()
    sale.standings.close()


def now_ms() -> int:
    return int(CLOCK.wall() * 1000)


def test_an_item_is_gone_with_its_last_unit_and_back_when_a_unit_is(sale: Sale) -> None:
    sale.load("kettle")
    assert sale.stands("kettle").gone is None
    order_id = sale.buy("kettle")
    assert sale.stands("kettle").gone is Verdict.SOLD_OUT
    sale.ledger.settle(order_id, State.CANCELLED, "", soon())
    assert sale.stands("kettle").gone is None


def test_an_item_of_which_nothing_was_ever_on_sale_is_sold_out(sale: Sale) -> None:
    sale.load("kettle", total=0)
    assert sale.stands("kettle").gone is Verdict.SOLD_OUT
    sale.ledger.add("kettle", 1, soon())
    assert sale.stands("kettle").gone is None


def test_the_window_goes_by_the_servers_time(sale: Sale) -> None:
    sale.load("early", opens_at_ms=now_ms() + HOUR_MS)
    sale.load("late", closes_at_ms=now_ms() - 1)
    sale.load("open", opens_at_ms=now_ms() - HOUR_MS, closes_at_ms=now_ms() + HOUR_MS)
    assert sale.stands("early").gone is Verdict.NOT_OPEN
    assert 3590 < sale.stands("early").opens_in <= 3600
    assert (sale.stands("late").gone, sale.stands("open").gone) == (Verdict.CLOSED, None)


def test_closed_by_hand_is_closed_and_paused_is_not_known(sale: Sale) -> None:
    sale.load("kettle")
    sale.ledger.switch("kettle", "closed", soon())
    assert sale.stands("kettle").gone is Verdict.CLOSED
    sale.ledger.switch("kettle", "paused", soon())
    assert sale.stands("kettle").gone is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("free", "many"), ("free", "-1"), ("held", "3"), ("status", "odd"), ("verified", "f" * 40), ("opens_at", "")],
)
def test_of_a_damaged_item_nothing_is_known(sale: Sale, field: str, value: str) -> None:
    sale.load("kettle", total=0)
    sale.damage("kettle", field, value)
    assert sale.stands("kettle").gone is None


def test_items_that_are_unknown_or_no_items_at_all_hide_no_others(sale: Sale) -> None:
    sale.load("kettle", total=0)
    sale.ledger._line.ask("SET", KEYS.of("teapot", "item"), "x", deadline=soon())
    stands = sale.standings.of(["teapot", "cup", "kettle"], soon())
    assert [standing.gone for standing in stands] == [None, None, Verdict.SOLD_OUT]
    assert sale.standings.items(soon()) == ["kettle"]


def test_a_server_that_came_back_is_not_believed_before_it_was_verified(sale: Sale, redis_server: Redis) -> None:
    sale.load("kettle", total=0)
    redis_server.restart()
    assert sale.stands("kettle").gone is None
    sale.ledger.verify("kettle", 0, 0, soon())
    assert sale.stands("kettle").gone is Verdict.SOLD_OUT


def test_a_server_that_is_away_is_an_error(sale: Sale, redis_server: Redis) -> None:
    sale.load("kettle")
    redis_server.kill()
    with pytest.raises(StoreError):
        sale.stands("kettle")
