"""A real Chromium, for one file at a time: while Playwright is at work, no other test could run an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser_site import open_shop
from browser_words import CHROMIUM, QUIET, SILENT, Buyer, Till, open_till
from playwright.sync_api import Browser, sync_playwright
from stack import Redis


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *SILENT], timeout=60_000)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def shop(redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the demo's shop behind the gate."""
    redis_server.heal()
    with open_shop(redis_server.url, tmp_path_factory.mktemp("shop")) as address:
        yield address


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
