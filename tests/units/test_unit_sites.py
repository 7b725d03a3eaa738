"""Several shops on one machine, each in its own units, files, folders and names: none sells or loses another's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from stack import MariaDB
from unit_sites import Shop
from unit_words import Unit

NAMES = ("red", "blue")


@pytest.fixture
def shops(root: Path, redis_url: str, rabbit_url: str, mariadb_server: MariaDB) -> Iterator[list[Shop]]:
    """Two, prepared for a sale of ten kettles each; nothing of them runs yet."""
    mariadb_server.heal()
    stores = {"redis": redis_url, "broker": rabbit_url, "database": mariadb_server.url}
    with ExitStack() as opened:
        made = [opened.enter_context(Shop(name, root, stores)) for name in NAMES]
        for shop in made:
            mariadb_server.create_database(shop.name)
            opened.callback(mariadb_server.drop_database, shop.name)
            shop.run("migrate")
            shop.run("item", "load")
        yield made


@pytest.fixture
def units(shops: list[Shop]) -> Iterator[list[Unit]]:
    """All services of both, running."""
    made = [unit for shop in shops for unit in shop.units()]
    with ExitStack() as running:
        for unit in made:
            running.push(unit)
        with ThreadPoolExecutor() as starters:
            list(starters.map(Unit.start, made))
        yield made


def test_two_shops_sell_side_by_side_and_keep_their_own_books(shops: list[Shop], units: list[Unit]) -> None:
    for shop, count in zip(shops, (3, 5), strict=True):
        assert len({shop.buy(f"buyer {number}")[1] for number in range(count)} - {""}) == count
    for shop, count in zip(shops, (3, 5), strict=True):
        found = shop.audit()
        assert (found["balanced"], found["accepted"]) == (True, count)
    assert all(unit.reload() for unit in units)
    assert [unit.stop() for unit in units] == [0] * 6
    assert "Traceback" not in "".join(unit.said() for unit in units)


def test_what_is_wrong_with_one_shops_configuration_does_not_touch_the_other(
    shops: list[Shop], units: list[Unit]
) -> None:
    red, blue = shops
    red.spoil()
    assert [unit.reload() for unit in units] == [False] * 3 + [True] * 3
    assert (red.buy("ann")[0], blue.buy("ann")[0]) == (201, 201)
