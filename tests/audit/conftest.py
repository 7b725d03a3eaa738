"""Each test that asks for ``shop`` runs twice: with SQLite and with a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pika
import pytest
from audit_words import Shop


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'orders.db'}"


@pytest.fixture(params=["sqlite_url", "mariadb_url"])
def shop(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Shop]:
    """A shop with empty stores and a hundred units on sale."""
    shop = Shop(redis_url, request.getfixturevalue(request.param))
    shop.open_sale(total=100)
    yield shop
    shop.close()


@pytest.fixture
def shop_with_broker(redis_url: str, mariadb_url: str, rabbit_url: str) -> Iterator[Shop]:
    """A shop with a real RabbitMQ between ledger and database."""
    shop = Shop(redis_url, mariadb_url, rabbit_url)
    shop.open_sale(total=100)
    yield shop
    shop.site.consumer.close()
    if shop.site.broker is not None:
        shop.site.broker.close()
    shop.close()
    with closing(pika.BlockingConnection(pika.URLParameters(rabbit_url))) as connection:
        for queue in (shop.name, f"{shop.name}.parked"):
            connection.channel().queue_delete(queue)
            connection.channel().exchange_delete(queue)
