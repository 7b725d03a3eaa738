"""Each test that asks for ``tables`` runs twice: on SQLite and on a real MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from orders_words import Tables

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

Open = Callable[..., OrdersDb]
IMPATIENT = Timeouts.model_validate({"database": "2s", "connect": "1s"})


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'orders.db'}"


@pytest.fixture(params=["sqlite_url", "mariadb_url"])
def tables(request: pytest.FixtureRequest) -> Tables:
    """An empty database, seen from outside."""
    return Tables(request.getfixturevalue(request.param))


@pytest.fixture
def mariadb(mariadb_url: str) -> Tables:
    """An empty MariaDB database, seen from outside."""
    return Tables(mariadb_url)


@pytest.fixture
def open_db() -> Iterator[Open]:
    """Connect to a database and migrate it: ``open_db(url, on_paid=("UPDATE …",))``."""
    with ExitStack() as opened:

        def connect(url: str, connections: int = 4, timeouts: Timeouts = IMPATIENT, **statements: object) -> OrdersDb:
            db = connect_orders_db(url, WriterSettings.model_validate(statements), timeouts, connections)
            opened.callback(db.close)
            db.migrate()
            return db

        yield connect


@pytest.fixture
def db(tables: Tables, open_db: Open) -> OrdersDb:
    """A migrated database without any statements of an integrator."""
    return open_db(tables.url)
