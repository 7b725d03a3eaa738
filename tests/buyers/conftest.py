from __future__ import annotations

from collections.abc import Iterator

import pytest
from buyers_site import BuyersSite, opened
from buyers_words import LegacySite
from stack import Redis
from stack.scripted import Scripted, answering


@pytest.fixture(scope="session")
def _site(redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersSite]:
    redis_server.heal()
    with opened(redis_server.url, tmp_path_factory.mktemp("buyers")) as site:
        yield site


@pytest.fixture
def site(_site: BuyersSite, redis_server: Redis) -> Iterator[BuyersSite]:
    """A sidecar under gunicorn, in front of a site that knows who is signed in."""
    redis_server.heal()
    yield _site
    _site.heal()


@pytest.fixture
def legacy() -> LegacySite:
    return LegacySite()


@pytest.fixture
def storefront(legacy: LegacySite) -> Iterator[Scripted]:
    """The legacy site, listening."""
    with answering(legacy.answer) as scripted:
        yield scripted
