from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from unit_site import UnitSite

_numbers = count(1)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that the units' user may search, unlike pytest's own; short, too: a UNIX socket's path has 107 bytes."""
    with TemporaryDirectory(prefix="units-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def site(root: Path, redis_url: str, rabbit_url: str, mariadb_url: str) -> Iterator[UnitSite]:
    """A configured site on real stores, with its tables and a million kettles; nothing of it runs yet."""
    made = UnitSite(root, {"redis": redis_url, "broker": rabbit_url, "database": mariadb_url}, next(_numbers))
    made.configure()
    for words in (["migrate"], ["item", "load"]):
        made.run(*words)
    yield made
    made.close()
