from __future__ import annotations

from collections.abc import Iterator

import pytest
from proxy_storefront import Storefront
from proxy_targets import TARGETS, Address, under_gunicorn


@pytest.fixture(scope="session")
def _storefront() -> Iterator[Storefront]:
    with Storefront() as server:
        yield server


@pytest.fixture
def storefront(_storefront: Storefront) -> Storefront:
    """The storefront, with nothing asked yet."""
    _storefront.seen.clear()
    _storefront.broken.clear()
    return _storefront


@pytest.fixture(scope="session")
def proxy(_storefront: Storefront) -> Iterator[Address]:
    """The reverse proxy under gunicorn, in front of ``storefront``."""
    with under_gunicorn(_storefront.url) as address:
        yield address


@pytest.fixture(scope="session", params=TARGETS)
def any_proxy(request: pytest.FixtureRequest, _storefront: Storefront) -> Iterator[Address]:
    """The reverse proxy under each kind of server in turn."""
    with TARGETS[request.param](_storefront.url) as address:
        yield address
