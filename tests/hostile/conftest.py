from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_site import Site, running


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with one item on sale, to be attacked."""
    with running(tmp_path_factory.mktemp("hostile")) as site:
        yield site
