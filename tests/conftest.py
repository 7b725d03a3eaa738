"""Fixtures that all suites share: real servers, started once a session and as early as the tests at hand need them.

A test may pause, kill or restart a session's server: the ``…_url`` of the next test finds it running again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import pytest
from stack import MariaDB, Nginx, RabbitMQ, Redis, Valkey

Slow = RabbitMQ | MariaDB
SLOW: dict[str, type[Slow]] = {"rabbit_server": RabbitMQ, "mariadb_server": MariaDB}
"""Fixtures whose servers take seconds to start."""


class Boot:
    """Slow servers, starting in the background while the first tests run."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=len(SLOW))
        self._started: dict[str, Future[Slow]] = {}
        self._servers = ExitStack()

    def begin(self, fixture: str) -> Future[Slow]:
        """Start a fixture's server, unless that was done, and don't wait for it."""
        if fixture not in self._started:
            server = SLOW[fixture]()
            self._servers.callback(server.close)
            self._started[fixture] = self._pool.submit(server.start)
        return self._started[fixture]

    def end(self) -> None:
        """Close the servers; one that is still starting, once it has started."""
        self._pool.shutdown()
        self._servers.close()


BOOT = pytest.StashKey[Boot]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[BOOT] = Boot()


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for fixture in SLOW.keys() & needed:
        session.config.stash[BOOT].begin(fixture)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[BOOT].end()


# -- servers, one a session --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """The session's Redis, set up as production's."""
    with Redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction") as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """The session's Valkey, from the wheel that the embedded ledger uses."""
    with Valkey(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction") as server:
        yield server


@pytest.fixture(scope="session")
def rabbit_server(request: pytest.FixtureRequest) -> Slow:
    """The session's RabbitMQ. Several tests share it: take exchange and queue names of your own."""
    return request.config.stash[BOOT].begin("rabbit_server").result()


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Slow:
    """The session's MariaDB."""
    return request.config.stash[BOOT].begin("mariadb_server").result()


# -- what a test asks for ----------------------------------------------------------------------------


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An empty Redis."""
    redis_server.heal()
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def valkey_url(valkey_server: Valkey) -> str:
    """An empty Valkey."""
    valkey_server.heal()
    valkey_server.flush()
    return valkey_server.url


@pytest.fixture
def rabbit_url(rabbit_server: RabbitMQ) -> str:
    """A running RabbitMQ."""
    rabbit_server.heal()
    return rabbit_server.url


_databases = count(1)


@pytest.fixture
def mariadb_url(mariadb_server: MariaDB) -> Iterator[str]:
    """A database of the test's own, empty."""
    mariadb_server.heal()
    name = f"test_{next(_databases)}"
    yield mariadb_server.create_database(name)
    mariadb_server.heal()
    mariadb_server.drop_database(name)


@pytest.fixture
def nginx() -> Iterator[Callable[..., Nginx]]:
    """Start an nginx: ``nginx(server="location / { … }", http="upstream shop { … }")``."""
    with ExitStack() as servers:
        yield lambda server, http="": servers.enter_context(Nginx(server, http))


@pytest.fixture(autouse=True)
def the_programs_log_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sends the log to that test's standard error, not to the next one's."""
    log = logging.getLogger("seckill_sidecar")
    handlers, level, propagate = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = handlers, level, propagate
