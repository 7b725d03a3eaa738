"""Each test that asks for ``shop`` runs twice: with SQLite and with a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rebuild_words import Shop, delete_queues


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'orders.db'}"


@pytest.fixture(params=["sqlite_url", "mariadb_url"])
def shop(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Shop]:
    """A shop without a broker."""
    shop = Shop(redis_url, request.getfixturevalue(request.param))
    yield shop
    shop.close()


@pytest.fixture
def shop_with_broker(redis_url: str, mariadb_url: str, rabbit_url: str) -> Iterator[Shop]:
    """A shop with a real RabbitMQ between ledger and database."""
    shop = Shop(redis_url, mariadb_url, rabbit_url)
    yield shop
    shop.close()
    delete_queues(rabbit_url, shop.name)
