"""The doctor asks the replica, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from replica_words import DATABASE, Pair, site_of

from seckill_sidecar.ops import doctor
from seckill_sidecar.wiring import Site


def found(site: Site) -> dict[str, str]:
    """How bad each thing about the replica is, with its remedy."""
    findings = list(doctor.examine(site.examined()))
    return {one.check: f"{one.level.word} {one.remedy}".strip() for one in findings if one.subject == "replica"}


@pytest.fixture
def _as_it_was(pair: Pair) -> Iterator[None]:
    yield
    pair.replica.sql("SET GLOBAL read_only = 1")


def test_one_that_follows_and_takes_no_writes_is_well(site: Site) -> None:
    assert found(site) == {"reachable": "ok", "version": "ok", "schema": "ok", "read-only": "ok"}


@pytest.mark.usefixtures("_as_it_was")
def test_one_that_takes_writes_is_warned_of(pair: Pair, site: Site) -> None:
    pair.replica.sql("SET GLOBAL read_only = 0")
    assert found(site)["read-only"].startswith("warn set read_only = 1")


def test_one_without_our_tables_is_found(pair: Pair) -> None:
    pair.primary.sql("CREATE DATABASE IF NOT EXISTS other")
    pair.catch_up()
    assert found(site_of(pair, replica=f"{pair.replica.url}other"))["schema"].startswith("fail wait until")


def test_one_that_is_down_or_lets_nobody_in_is_found(pair: Pair, site: Site) -> None:
    pair.primary.sql("CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'right'")
    pair.catch_up()
    refused = found(site_of(pair, replica=f"mysql://reader:wrong@127.0.0.1:{pair.replica.port}/{DATABASE}"))
    assert refused["reachable"].startswith("fail start it, or mend its address, user and password")
    pair.replica.kill()
    assert found(site)["reachable"].startswith("fail start it")
