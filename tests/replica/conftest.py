from __future__ import annotations

from collections.abc import Iterator

import pytest
from replica_words import Pair, site_of

from seckill_sidecar.wiring import Site


@pytest.fixture(scope="session")
def _pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


@pytest.fixture
def pair(_pair: Pair) -> Pair:
    """A database and its replica, which has caught up."""
    _pair.heal()
    return _pair


@pytest.fixture
def site(pair: Pair) -> Iterator[Site]:
    """A site that can't reach its ledger, so that the databases alone know of orders."""
    made = site_of(pair)
    yield made
    made.orders.close()
