"""A handful of the fault matrix's quick runs, on the real stack; ``make faults`` plays all of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from faults.history import Attempt
from faults.kinds import KINDS
from faults.plan import attempts, plan_run
from faults.run import play
from faults.stage import Stage, opened_stage
from stack import MariaDB, RabbitMQ

QUICK = ("redis-script-flush", "redis-killed", "worker-killed-after-reserve", "database-commit-reply-lost")


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, mariadb_server: MariaDB, rabbit_server: RabbitMQ
) -> Iterator[Stage]:
    """The whole site, on servers that are up already."""
    mariadb_server.heal()
    rabbit_server.heal()
    with opened_stage(tmp_path_factory.mktemp("faults"), mariadb_server, rabbit_server) as opened:
        yield opened


@pytest.mark.parametrize("fault", QUICK)
def test_nothing_is_lost_or_sold_twice_or_said_falsely(fault: str, stage: Stage, tmp_path: Path) -> None:
    result = play(stage, KINDS[fault], seed=1, folder=tmp_path)
    assert result.happened
    assert result.accepted
    assert result.findings == []


def test_a_seed_decides_who_buys_what_and_when_the_fault_comes() -> None:
    def played(seed: int, sku: str) -> tuple[list[Attempt], float, int]:
        plan, _ = plan_run("redis-killed", seed, sku, hold=900)
        return list(islice(attempts(plan), 500)), plan.fault_at, plan.total

    assert played(1, "one") == played(1, "another")
    assert played(1, "one") != played(2, "one")


def test_the_crowd_sends_keys_again() -> None:
    plan, _ = plan_run("redis-killed", 1, "sku", hold=900)
    sent = list(islice(attempts(plan), 500))
    assert len({attempt.key for attempt in sent}) < len(sent)
    assert len({(attempt.buyer, attempt.key, attempt.quantity) for attempt in sent}) == len(
        {attempt.key for attempt in sent}
    )
