"""A real Chromium, which starts once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser_words import CHROMIUM, QUIET, SILENT, Buyer, Till, open_till
from demo.plan import Plan
from demo.site import Site
from demo.stacks import open_site
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *SILENT], timeout=60_000)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The demo's shop behind the sidecar, on the bundled stores: one flash phone, plenty of teapots."""
    # A socket's path is short; pytest's own folders are not.
    with tempfile.TemporaryDirectory() as folder, open_site(Plan(stock=1), Path(folder)) as opened:
        yield opened


@pytest.fixture
def till() -> Iterator[Till]:
    with open_till() as opened:
        yield opened


@pytest.fixture
def new_buyer(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Buyer]]:
    """Makes buyers, each with a browser profile of their own."""
    with ExitStack() as leaving:

        def come(**context: Any) -> Buyer:
            buyer = Buyer(browser, tmp_path, **context)
            leaving.callback(buyer.leave)
            return buyer

        yield come


@pytest.fixture
def buyer(new_buyer: Callable[..., Buyer]) -> Buyer:
    return new_buyer()
