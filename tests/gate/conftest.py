from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from gate_challenges import Desk, Open, Service
from gate_plugs import PLUGS, Sidecar
from gate_site import Shop, open_shop
from stack import MariaDB, RabbitMQ, Redis

from seckill_sidecar.clock import ManualClock


@contextmanager
def plugged(name: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running site in the plug that is the fixture's parameter; ``name`` is its own in all stores."""
    redis_server: Redis = request.getfixturevalue("redis_server")
    redis_server.heal()
    stores = {
        "redis": redis_server.url,
        "broker": "none",
        "database": f"sqlite:///{folders.mktemp(name)}/orders.db",
    }
    broker = {}
    if request.param == Sidecar.name:
        rabbit: RabbitMQ = request.getfixturevalue("rabbit_server")
        mariadb: MariaDB = request.getfixturevalue("mariadb_server")
        stores |= {"broker": rabbit.url, "database": mariadb.create_database(name)}
        broker = {part: f"{name}.{part}" for part in ("exchange", "queue", "parked")}
    with ExitStack() as running:
        yield open_shop(running, request.param, {"stores": stores, "ledger": {"prefix": name}, "broker": broker})


@pytest.fixture(scope="session", params=PLUGS)
def _shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with plugged(f"gate-{request.param}", request, tmp_path_factory) as shop:
        yield shop


@pytest.fixture(scope="module", params=PLUGS)
def flooded_shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for the tests that flood it, since that is remembered for a while."""
    with plugged(f"flooded-{request.param}", request, tmp_path_factory) as shop:
        yield shop


@pytest.fixture
def shop(_shop: Shop, redis_server: Redis) -> Shop:
    """A running site, in each plug in turn; every test opens a sale of its own."""
    redis_server.heal()
    return _shop


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def open_desk(redis_url: str, service: Service) -> Iterator[Open]:
    """Opens hosts of one site, on one Redis; the service examines for all of them."""
    clock, desks = ManualClock(time.time()), ExitStack()

    def open_desk(kind: str, **more: Any) -> Desk:
        return desks.enter_context(closing(Desk(kind, redis_url, clock, service, **more)))

    with desks:
        yield open_desk
