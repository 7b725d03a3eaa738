"""Each test that asks for ``sale`` runs twice: on Redis and on the Valkey that is bundled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from ledger_words import Sale
from stack import Redis, Valkey

from seckill_sidecar.adapters.ledger import Line

SERVERS: dict[str, type[Redis]] = {"redis": Redis, "valkey": Valkey}


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest) -> str:
    """An empty server of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def server(url: str, request: pytest.FixtureRequest) -> Redis:
    """The server behind ``url``, to be paused, killed and restarted."""
    server: Redis = request.getfixturevalue(f"{request.node.callspec.params['url']}_server")
    return server


@pytest.fixture
def sale(url: str) -> Iterator[Sale]:
    """An empty ledger."""
    sale = Sale(url)
    yield sale
    sale.close()


@pytest.fixture(params=SERVERS)
def private_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., Redis]]:
    """Start a server of one's own: ``private_server(maxmemory="3mb")``."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(SERVERS[request.param](**options))


@pytest.fixture
def lines() -> Iterator[Callable[[Line], Line]]:
    """Close a line when the test is over: ``line = lines(open_line(url))``."""
    with ExitStack() as opened:

        def keep(line: Line) -> Line:
            opened.callback(line.close)
            return line

        yield keep
