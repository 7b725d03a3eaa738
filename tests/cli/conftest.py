from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_words import SECRET, Home
from stack import Redis


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A folder with a configuration to write, and the secret in the environment."""
    monkeypatch.setenv("CLI_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path)


@pytest.fixture
def sale(home: Home, redis_url: str) -> Home:
    """A configuration with an empty Redis, and a database with tables."""
    home.configure(redis=redis_url)
    assert home.run("migrate").code == 0
    return home


@pytest.fixture
def late_redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis that is not started yet."""
    server = Redis(tmp_path / "redis")
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Commands set up the log of the whole process."""
    ours = logging.getLogger("seckill_sidecar")
    before = ours.handlers[:], ours.level, ours.propagate
    yield
    ours.handlers[:], ours.level, ours.propagate = before
