"""Each test that asks for ``shop`` runs twice: with SQLite and with a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
