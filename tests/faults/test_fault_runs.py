"""A handful of the fault matrix's quick runs, on the real stack; ``make faults`` plays all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.kinds import KINDS
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
