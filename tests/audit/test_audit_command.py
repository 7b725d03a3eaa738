"""The command: what it prints, and how it exits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_words import SKU, Shop
from stack import Redis

from seckill_sidecar.cli import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on the shop: its exit code, and what it printed."""
    conf = tmp_path / "shop.yaml"
    conf.write_text(shop.yaml)

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["audit", "-c", str(conf), "--patience", "200ms", *arguments])
        captured = capsys.readouterr()
        return code, captured.out or captured.err

    return run


def test_a_balanced_sale_exits_0_with_a_table(shop: Shop, run: Run) -> None:
    shop.play()
    code, printed = run()
    assert code == 0
    head, row, *_, verdict = printed.splitlines()
    assert re.split("  +", head)[:8] == ["item", "epoch", "total", "free", "held", "paid", "db held", "db paid"]
    assert row.split()[:8] == [SKU, "1", "100", "92", "4", "4", "4", "4"]
    assert verdict == "balanced"


def test_a_fault_exits_1_and_is_printed(shop: Shop, run: Run) -> None:
    bought = shop.play()
    shop.database.run("DELETE FROM seckill_orders WHERE order_id = ?", bought[0].id)
    code, printed = run()
    assert code == 1
    assert f"missing: {bought[0].id} (ledger paid)" in printed.splitlines()
    assert printed.splitlines()[-1] == "NOT BALANCED"


def test_json_is_one_object_with_totals_items_and_examples(shop: Shop, run: Run) -> None:
    shop.play()
    shop.buy("late")
    code, printed = run("--json", SKU)
    report = json.loads(printed)
    item = report["items"][0]
    assert code == 0
    assert report.pop("balanced") is True
    assert {name: report[name] for name in report if name not in ("items", "examples")} == {
        "accepted": 10,
        "in_outbox": 1,
        "on_its_way": 0,
        "in_database": 9,
        "parked": 0,
        "missing": 0,
        "duplicated": 0,
        "oversold": 0,
        "unknown": 0,
        "differing": 0,
    }
    assert report["examples"] == {
        kind: [] for kind in ("missing", "on_its_way", "parked", "duplicated", "unknown", "differing")
    }
    assert item["ledger"] == {"total": 100, "free": 91, "held": 5, "paid": 4, "held_by_orders": 5, "paid_by_orders": 4}
    assert item["database"] == [
        {"epoch": 1, "total": 100, "held": 4, "paid": 4, "orders": 9, "held_by_orders": 4, "paid_by_orders": 4}
    ]


def test_examples_are_twenty_of_a_kind_at_most(shop: Shop, run: Run) -> None:
    shop.play(30)
    shop.database.run("DELETE FROM seckill_orders")
    report = json.loads(run("--json")[1])
    assert report["missing"] == 30
    assert len(report["examples"]["missing"]) == 20
    assert report["examples"]["missing"][0].keys() == {"order", "seen"}


def test_nothing_to_audit_is_said_and_balanced(shop: Shop, run: Run) -> None:
    shop.redis.flushall()
    assert run() == (0, "there are no items, neither in the ledger nor in the database\n")


@pytest.mark.parametrize("arguments", [["kettle"], ["no such sku"], ["--patience", "soon"]])
def test_a_wrong_call_exits_2(shop: Shop, run: Run, arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


def test_a_store_that_can_not_be_asked_exits_69(shop: Shop, run: Run, redis_server: Redis) -> None:
    redis_server.stop()
    code, printed = run()
    assert code == 69
    assert printed.startswith("seckill-sidecar: ledger: can't connect")
