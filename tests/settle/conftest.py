from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from settle_site import SETTINGS, Shop, Sidecar
from settle_storefront import Storefront
from stack import Redis

Open = Callable[..., Shop]


@pytest.fixture(scope="session")
def storefront() -> Iterator[Storefront]:
    """The legacy site."""
    with Storefront() as storefront:
        yield storefront


@pytest.fixture(scope="session")
def _shops(
    redis_server: Redis, storefront: Storefront, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Shop]]:
    redis_server.heal()
    folder: Path = tmp_path_factory.mktemp("settle")
    stores = {
        "redis": redis_server.url,
        "broker": "none",
        "database": f"sqlite:///{folder}/orders.db",
        "storefront": storefront.url,
    }
    with ExitStack() as running:

        def open_shop(sockets: bool = False, **changes: Any) -> Shop:
            settings = {"stores": stores, "ledger": {"prefix": "settle"}, **SETTINGS, **changes}
            sidecar = Sidecar(settings, sockets)
            running.callback(sidecar.close)
            shop = Shop(sidecar)
            running.callback(shop.ledger.close)
            running.callback(shop.site.orders.close)
            shop.site.orders.migrate()
            sidecar.start()
            return shop

        yield open_shop


@pytest.fixture(scope="session")
def _shop(_shops: Open) -> Shop:
    return _shops()


@pytest.fixture
def shop(_shop: Shop, redis_server: Redis) -> Shop:
    """A running site; every test sells an item of its own."""
    redis_server.heal()
    return _shop


@pytest.fixture
def open_shop(_shops: Open, redis_server: Redis) -> Open:
    """Open another site with other settings; it closes when the session ends."""
    redis_server.heal()
    return _shops
