"""Made-up items and orders cost the stores next to nothing, and no item is called unknown once it is on sale."""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_plugs import Sidecar
from gate_site import Shop, told
from stack import MariaDB, eventually

from seckill_sidecar.clock import Deadline, ManualClock, SystemClock, order_ids
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.gate.known import TRUE_FOR, KnownItems
from seckill_sidecar.model import Decision, Purchase, Verdict
from seckill_sidecar.ops.items import Items

new_id = order_ids(SystemClock())


class Names:
    """A store's items, and how often they were read."""

    def __init__(self, *names: str) -> None:
        self.names: Collection[str] = set(names)
        self.readings = 0
        self.is_down = False

    def read(self, deadline: Deadline) -> Collection[str]:
        del deadline
        self.readings += 1
        if self.is_down:
            raise StoreDown("ledger", "is away")
        return set(self.names)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> Names:
    return Names("kettle")


@pytest.fixture
def known(store: Names, clock: ManualClock) -> KnownItems:
    return KnownItems(store.read, clock, patience=0.5, names=["configured"])


def test_a_known_item_is_never_asked_for_again(known: KnownItems, store: Names) -> None:
    assert [known.is_unknown("kettle") for _ in range(1000)] == [False] * 1000
    assert [known.is_unknown("configured") for _ in range(1000)] == [False] * 1000
    assert store.readings == 1


def test_a_purchase_of_a_made_up_item_is_refused_with_a_key_or_without(known: KnownItems) -> None:
    made_up = [Purchase(new_id("x"), "x", "ann", 1, key=key) for key in (None, "k")]
    assert [known.recall(purchase) for purchase in made_up] == [Decision(Verdict.UNKNOWN_ITEM)] * 2
    assert known.recall(Purchase(new_id("kettle"), "kettle", "ann", 1)) is None


def test_a_thousand_made_up_items_are_a_handful_of_readings(known: KnownItems, store: Names) -> None:
    assert all(known.is_unknown(f"made-up-{no}") for no in range(1000))
    assert store.readings <= 10


def test_a_flood_that_goes_on_is_three_readings_a_second_at_most(
    known: KnownItems, store: Names, clock: ManualClock
) -> None:
    for no in range(10_000):
        assert known.is_unknown(f"made-up-{no}")
        clock.advance(0.001)
    assert store.readings <= 10 + 3 * 10


def test_a_new_item_is_found_at_once_unless_there_is_a_flood(known: KnownItems, store: Names) -> None:
    for no in range(500):  # each is found, so they are no flood however many they are
        store.names = {*store.names, f"new-{no}"}
        assert not known.is_unknown(f"new-{no}")


def test_in_a_flood_what_was_read_decides_for_no_longer_than_a_new_item_is_announced(
    known: KnownItems, store: Names, clock: ManualClock
) -> None:
    for no in range(100):
        known.is_unknown(f"made-up-{no}")
    store.names = {"kettle", "teapot"}
    assert known.is_unknown("teapot")
    clock.advance(TRUE_FOR)
    assert not known.is_unknown("teapot")


def test_what_can_not_be_told_is_not_unknown(known: KnownItems, store: Names, clock: ManualClock) -> None:
    assert known.is_unknown("made-up")
    store.is_down = True
    clock.advance(TRUE_FOR)
    assert not known.is_unknown("made-up")
    store.is_down = False
    assert known.is_unknown("made-up")


def test_an_item_that_was_known_stays_so_if_its_store_has_lost_it(
    known: KnownItems, store: Names, clock: ManualClock
) -> None:
    assert not known.is_unknown("kettle")
    store.names = set()
    clock.advance(60)
    assert known.is_unknown("made-up")
    assert not known.is_unknown("kettle")


def test_of_very_many_items_each_is_left_to_its_store(known: KnownItems, store: Names) -> None:
    store.names = [f"item-{no}" for no in range(100_001)]
    assert not any(known.is_unknown(f"made-up-{no}") for no in range(100))
    assert store.readings == 1


@pytest.mark.gevent_too
def test_who_comes_at_the_same_moment_shares_a_reading() -> None:
    """Those who wait find what was read after they had asked: nobody reads for himself only."""
    reading, go_on = threading.Event(), threading.Event()

    def read(deadline: Deadline) -> list[str]:
        del deadline
        readings.append(None)
        reading.set()
        assert go_on.wait(20)
        return []

    readings: list[None] = []
    known = KnownItems(read, SystemClock(), patience=20)
    with ThreadPoolExecutor(30) as pool:
        first = pool.submit(known.is_unknown, "made-up")
        assert reading.wait(20)
        others = [pool.submit(known.is_unknown, f"made-up-{no}") for no in range(29)]
        eventually(lambda: known._full_at > SystemClock().monotonic() + 8, what="some have asked")
        go_on.set()
        assert first.result()
        assert all(other.result() for other in others)
    assert len(readings) <= 11


# -- a whole site --------------------------------------------------------------------------------------


@pytest.fixture
def shop(flooded_shop: Shop) -> Shop:
    return flooded_shop


def commands(shop: Shop) -> dict[str, int]:
    """How often each command was run since the last time."""
    line = shop.ledger._line
    told = line.ask("INFO", "commandstats", deadline=shop.deadline()).decode()
    line.ask("CONFIG", "RESETSTAT", deadline=shop.deadline())
    return {name.lower(): int(calls) for name, calls in re.findall(r"cmdstat_([^:|]+):calls=(\d+)", told)}


def flood(ask: Callable[[int], object], times: int = 1000) -> float:
    """Ask so often, eight at a time; the seconds that took."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(times)))
    return time.monotonic() - began


def test_a_thousand_made_up_items_reach_no_store(shop: Shop) -> None:
    commands(shop)
    answers: list[str] = []
    seconds = flood(lambda no: answers.append(told(shop.buy(f"made-up-{no}", "bot", key=f"k{no}" if no % 2 else None))))
    run = commands(shop)
    assert set(answers) == {"unknown_item"}
    assert run.get("smembers", 0) <= 12 + 3 * seconds
    assert not {"evalsha", "eval", "set", "hget", "hgetall"} & run.keys()


def test_admissions_to_a_thousand_made_up_items_reach_no_store(shop: Shop) -> None:
    commands(shop)
    answers: list[str] = []
    seconds = flood(lambda no: answers.append(told(shop.ask_admission(f"made-up-{no}", f"bot-{no}"))))
    run = commands(shop)
    assert set(answers) == {"unknown_item"}
    assert run.get("smembers", 0) <= 12 + 3 * seconds
    assert not {"evalsha", "eval", "set", "hget", "hgetall"} & run.keys()


def test_made_up_orders_of_made_up_items_reach_no_store(shop: Shop, request: pytest.FixtureRequest) -> None:
    mariadb: MariaDB | None = None
    if shop.plug.name == Sidecar.name:
        mariadb = request.getfixturevalue("mariadb_server")
    before = selects(mariadb)
    commands(shop)
    statuses: list[int] = []
    seconds = flood(
        lambda no: statuses.append(shop.look_up(f"/seckill/orders/{new_id(f'made-up-{no}')}", "X-User: bot").status)
    )
    run = commands(shop)
    assert set(statuses) == {404}
    assert run.get("smembers", 0) <= 12 + 3 * seconds
    assert not {"evalsha", "eval", "hget", "hgetall"} & run.keys()
    assert selects(mariadb) - before <= 14 + 3 * seconds


def selects(mariadb: MariaDB | None) -> int:
    return int(mariadb.sql("SHOW GLOBAL STATUS LIKE 'Com_select'").split()[-1]) if mariadb is not None else 0


def test_an_item_that_is_loaded_in_a_flood_sells_from_the_moment_on_that_the_command_has_ended(shop: Shop) -> None:
    over = threading.Event()

    def make_up() -> None:
        no = 0
        while not over.is_set():
            no += 1
            assert told(shop.buy(f"made-up-{no}")) == "unknown_item"

    with ThreadPoolExecutor(2) as pool:
        floods = [pool.submit(make_up) for _ in range(2)]
        try:
            for no in range(5):
                sku = f"flooded-{no}-{new_id('x')[-8:]}"
                load(shop, Items(shop.ledger, shop.site.shadow, shop.site.orders, SystemClock()), sku)
                assert told(shop.buy(sku)) == "accepted"
        finally:
            over.set()
        for one in floods:
            one.result()


def load(shop: Shop, items: Items, *skus: str) -> None:
    for sku in skus:
        words = {"action": "load", "sku": sku, "total": 5, "replaces": None, "json": False}
        rest = dict.fromkeys(("opens_at", "closes_at", "per_buyer", "hold"))
        items.run(argparse.Namespace(**words, **rest), shop.site.settings.items)


def test_loading_waits_once_for_what_is_new_and_not_for_what_is_there(shop: Shop) -> None:
    clock = ManualClock(now=time.monotonic())
    items = Items(shop.ledger, shop.site.shadow, shop.site.orders, clock)
    sku = f"waited-for-{new_id('x')[-8:]}"
    load(shop, items, sku)
    assert clock.slept == [TRUE_FOR]
    load(shop, items, sku)
    assert clock.slept == [TRUE_FOR]
