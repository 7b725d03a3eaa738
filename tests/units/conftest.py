from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from unit_site import UnitSite

_numbers = count(1)


@pytest.fixture
def site(tmp_path: Path, redis_url: str, rabbit_url: str, mariadb_url: str) -> Iterator[UnitSite]:
    """A configured site on real stores, with its tables and a million kettles; nothing of it runs yet."""
    made = UnitSite(tmp_path, {"redis": redis_url, "broker": rabbit_url, "database": mariadb_url}, next(_numbers))
    made.configure()
    for words in (["migrate"], ["item", "load"]):
        made.run(*words)
    yield made
    made.close()
