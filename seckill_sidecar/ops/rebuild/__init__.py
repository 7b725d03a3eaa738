"""``rebuild SKU``: a ledger from the database and what the broker still holds, under a new epoch.

    look ──► (dry run ends here) ──► retire ──► drain ──► take over ──► fill and swap
              consumers? on sale?     nobody     outbox     one trans-    one script call
              are its terms known?    sells it   and queue  action of     puts it in place
                                      any more   written    the database

Up to the taking over, a failure lets the item go back to where it was. After it, the rebuild is run once more: it then
begins with the epoch that the database has.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from seckill_sidecar.errors import UsageError
from seckill_sidecar.ops.rebuild.drain import Drain
from seckill_sidecar.ops.rebuild.look import Look, Parts, Queue, look
from seckill_sidecar.ops.rebuild.renew import renew
from seckill_sidecar.settings.schema import ItemSettings

__all__ = ["Drain", "Look", "Parts", "Queue", "add_arguments", "look", "renew", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``rebuild``."""
    parser.add_argument("sku")
    parser.add_argument("--apply", action="store_true", help="do it; without this, only say what would be done")
    parser.add_argument("--open", action="store_true", help="sell again at once; otherwise it is paused afterwards")
    parser.add_argument("--total", type=int, help="units there are in all (what the database knows)")
    parser.add_argument(
        "--leave-out",
        action="store_true",
        help="go on although orders can't be taken over: parked ones, and those that only the old ledger has",
    )


def run(arguments: argparse.Namespace, parts: Parts, configured: Sequence[ItemSettings]) -> str:
    """What to print. Raises ``UsageError`` if it can't or must not be done, ``StoreError``."""
    total = arguments.total
    if total is not None and not 0 <= total <= 100_000_000:
        raise UsageError("--total has to be a whole number from 0 to 100000000")

    def look_now() -> Look:
        return look(arguments.sku, parts, configured, total)

    if not arguments.apply:
        return look_now().as_text()
    return renew(look_now, parts, "open" if arguments.open else "paused", arguments.leave_out)
