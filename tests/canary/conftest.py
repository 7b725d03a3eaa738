from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from canary_site import CanarySite, NewSite


@pytest.fixture
def new_site(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[NewSite]:
    """Make a site on Redis and SQLite: ``new_site(limits={…}).start(mode="shadow")``."""
    with ExitStack() as made:

        def new(**changes: Any) -> CanarySite:
            folder = tmp_path_factory.mktemp("canary")
            stores = {"redis": redis_url, "broker": "none", "database": f"sqlite:///{folder}/orders.db"}
            site = CanarySite(folder, stores | changes.pop("stores", {}), changes)
            made.callback(site.close)
            return site

        yield new


@pytest.fixture
def new_real_site(new_site: NewSite, rabbit_url: str, mariadb_url: str) -> NewSite:
    """The same on RabbitMQ and MariaDB."""
    return lambda **changes: new_site(stores={"broker": rabbit_url, "database": mariadb_url}, **changes)
