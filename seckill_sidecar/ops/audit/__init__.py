"""``audit``: whether every unit and every order is where it belongs, in the ledger and in the database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import UsageError
from seckill_sidecar.ops.audit.auditor import Auditor
from seckill_sidecar.ops.audit.report import Report, as_json, as_table
from seckill_sidecar.ports import Ledger, OrdersDb
from seckill_sidecar.settings.values import parse_duration

__all__ = ["Auditor", "Report", "add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``audit`` may be told."""
    parser.add_argument("skus", nargs="*", metavar="SKU", help="items to audit; all by default")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--patience",
        default="10s",
        help="how long what looks wrong may go on looking so while nothing else arrives (10s); "
        "choose more than the writer lags behind",
    )


def run(
    arguments: argparse.Namespace, ledger: Ledger, orders: OrdersDb, clock: Clock, note: Callable[[Report], None]
) -> tuple[str, bool]:
    """What to print, and whether all is balanced. ``note`` is told of an audit of all items.

    Raises ``UsageError``, ``StoreError``.
    """
    try:
        patience = parse_duration(arguments.patience)
    except ValueError as error:
        raise UsageError(f"--patience {error}") from error
    report = Auditor(ledger, orders, clock, patience).audit(arguments.skus)
    if not arguments.skus:
        note(report)
    return (json.dumps(as_json(report)) if arguments.json else as_table(report)), report.balanced
