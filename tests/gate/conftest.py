from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gate_plugs import PLUGS, Sidecar
from gate_site import Shop, open_shop
from stack import MariaDB, RabbitMQ, Redis


@pytest.fixture(scope="session", params=PLUGS)
def _shop(
    request: pytest.FixtureRequest, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    name = f"gate-{request.param}"
    redis_server.heal()
    stores = {
        "redis": redis_server.url,
        "broker": "none",
        "database": f"sqlite:///{tmp_path_factory.mktemp(name)}/orders.db",
    }
    broker = {}
    if request.param == Sidecar.name:
        rabbit: RabbitMQ = request.getfixturevalue("rabbit_server")
        mariadb: MariaDB = request.getfixturevalue("mariadb_server")
        stores |= {"broker": rabbit.url, "database": mariadb.create_database(name)}
        broker = {part: f"{name}.{part}" for part in ("exchange", "queue", "parked")}
    with ExitStack() as running:
        yield open_shop(running, request.param, {"stores": stores, "ledger": {"prefix": name}, "broker": broker})


@pytest.fixture
def shop(_shop: Shop, redis_server: Redis) -> Shop:
    """A running site, in each plug in turn; every test opens a sale of its own."""
    redis_server.heal()
    return _shop
