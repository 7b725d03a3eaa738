from __future__ import annotations

from collections.abc import Iterator

import pytest
from proxy_storefront import Storefront
from proxy_targets import TARGETS, Address, Gunicorn, Sidecar


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


@pytest.fixture(scope="session", params=["bare", "sidecar"])
def proxy(request: pytest.FixtureRequest, _storefront: Storefront) -> Iterator[Address]:
    """The reverse proxy under gunicorn, alone and as part of the whole sidecar, in front of ``storefront``."""
    if request.param == "bare":
        server = Gunicorn(_storefront.url)
    else:
        server = Sidecar(_storefront.url, request.getfixturevalue("redis_server").url)
    with server:
        yield server.address


@pytest.fixture(scope="session", params=TARGETS)
def any_proxy(request: pytest.FixtureRequest, _storefront: Storefront) -> Iterator[Address]:
    """The reverse proxy under each kind of server in turn."""
    with TARGETS[request.param](_storefront.url) as address:
        yield address
