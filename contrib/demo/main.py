"""The demo from start to end; ``python contrib/demo`` runs it. See plan.py for what the environment can change."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from stack import StackError

from demo.books import Books
from demo.check import find_faults
from demo.drama import Drama, NoDrama
from demo.plan import Plan, crowd, read_plan
from demo.play import Sale
from demo.programs import expect_running
from demo.progress import Progress, say
from demo.report import Result, json_line, table
from demo.rounds import check_login, check_pass_through, check_unsigned_is_refused
from demo.site import Site
from demo.stacks import open_site
from demo.trouble import DemoFailed

DRAINED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.2


def main() -> int:
    """Run the demo; 0 if the sale was flawless, 1 if not, 130 if it was stopped by hand."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        plan = read_plan(os.environ)
        with tempfile.TemporaryDirectory(prefix="seckill-demo-") as folder:
            return _run(plan, Path(folder))
    except (DemoFailed, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped, and everything with it")
        return 130


def _stop(*_: object) -> NoReturn:
    # The first signal ends the demo in order. A second one must not end the ending.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(plan: Plan, folder: Path) -> int:
    say(f"starting the {plan.stack} stack")
    with open_site(plan, folder) as site:
        _look_around(site)
        result = _judge(plan, site)
        print(table(result), json_line(result), sep="\n\n", flush=True)
        if plan.keep:
            _keep(site)
    return 0 if result.flawless else 1


def _look_around(site: Site) -> None:
    pages = check_pass_through(site)
    check_login(site, "an early buyer")
    check_unsigned_is_refused(site)
    say(f"{pages} pages of the shop are the same through the sidecar; unsigned purchases are refused")


def _judge(plan: Plan, site: Site) -> Result:
    sale, wall_s = play_sale(plan, site)
    books = read_books(site, sale)
    return Result(plan, books, find_faults(plan, books), wall_s)


def play_sale(plan: Plan, site: Site) -> tuple[Sale, float]:
    """Play the sale and wait until its orders are written; return what was told, and the seconds of the sale itself."""
    attempts = crowd(plan)
    cookies = {buyer: site.home.secret.cookie(buyer) for buyer in {attempt.buyer for attempt in attempts}}
    sale = Sale(site.front, cookies.__getitem__)
    progress = Progress(plan.requests)
    drama = Drama(site.piles[plan.kill], max(1, plan.stock // 4)) if plan.kill else NoDrama()

    def tick(tally: Counter[str]) -> None:
        expect_running(site.servers)
        progress.tick(tally)
        drama.tick(tally)

    try:
        wall_s = sale.play(attempts, plan.connections, tick)
    finally:
        drama.end()
    progress.end(sale.tally)
    expect_running(site.servers)
    _await_drained(site)
    return sale, wall_s


def _await_drained(site: Site) -> None:
    """Wait until the outbox is empty and the database has what the ledger has; the comparison judges what is not."""
    until = time.monotonic() + DRAINED_WITHIN_S
    while time.monotonic() < until:
        accounts = site.accounts
        written = {row.order for row in accounts.database_rows()} | accounts.parked_orders()
        if accounts.outbox_is_empty() and written >= {row.order for row in accounts.ledger_page().rows}:
            return
        time.sleep(LOOK_EVERY_S)
    say(f"outbox and queue were not drained within {DRAINED_WITHIN_S:.0f} s")


def read_books(site: Site, sale: Sale) -> Books:
    """All four accounts of the sale as they are now."""
    accounts = site.accounts
    return Books(
        told=sale.told,
        ledger=accounts.ledger_page(),
        database=accounts.database_rows(),
        parked=accounts.parked_orders(),
        shop=accounts.shop_rows(),
    )


def _keep(site: Site) -> None:
    say(f"the shop is open at http://{site.front[0]}:{site.front[1]}/ (log in, then buy a teapot)")
    for server in site.servers:
        say(f"{server.name:<9} {server.url:<40} log {server.log}")
    say(f"configuration {site.home.config}; Ctrl-C stops everything")
    with suppress(KeyboardInterrupt):
        signal.pause()
