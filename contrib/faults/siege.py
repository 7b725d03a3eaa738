"""The siege: buyers buy without pause while every process is killed at random; then the program's own audit judges.

The matrix's checker judges as well: what each buyer was told against what ledger and database hold.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.programs import COMMAND
from stack import MariaDB, RabbitMQ, eventually

from faults.check import Case, Finding, check
from faults.crowd import buying, resolve
from faults.history import BROKEN, UNKNOWN, History, now_ms, recorded
from faults.hunt import Hunt, prey_on
from faults.options import number, record_folder
from faults.outcome import Outcome, report
from faults.plan import Plan
from faults.stage import Stage, opened_stage

_ITEMS = 6
_SPARE = 2000
_HOLD_S = 6 * 3600.0
"""No hold expires in a siege."""
_RATE = 3000.0
"""Purchases a second, at most; the machine sets the bound below it."""
_LOOK_EVERY_S = 10.0
_DRAIN_WITHIN_S = 120.0
_AUDIT_WITHIN_S = 600.0

Say = Callable[[str], None]


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Besiege a stage of its own until ``ORDERS`` are accepted, by the plan of ``SEED``; 1 if anything is wrong."""
    try:
        orders, seed = number(environ, "ORDERS", 2000), number(environ, "SEED", 1)
    except ValueError as error:
        print(f"siege: {error}", file=sys.stderr)
        return 2
    record = record_folder(environ)
    with (
        tempfile.TemporaryDirectory(prefix="siege-stage-") as folder,
        MariaDB() as mariadb,
        RabbitMQ() as rabbit,
        opened_stage(Path(folder), mariadb, rabbit, tapped=False) as stage,
    ):
        outcome = besiege(stage, orders, seed, record, lambda line: print(line, file=sys.stderr, flush=True))
    print(report(outcome))
    return 0 if outcome.sound else 1


def besiege(stage: Stage, orders: int, seed: int, folder: Path, say: Say) -> Outcome:
    """Sell until so many orders are accepted and everything was killed once at least; let it drain, and judge."""
    stage.settle()
    plans = plan_siege(orders, seed)
    with ExitStack() as files:
        sales = [_Sale(stage, plan, files.enter_context(recorded(folder / f"{plan.sku}.jsonl"))) for plan in plans]
        return _Siege(stage, sales, seed, say).play(orders)


def plan_siege(orders: int, seed: int) -> list[Plan]:
    """Several items: the first sells out before the end, the others have enough for as long as it may take."""
    chance = random.Random(f"siege {seed}")
    share = orders * 1.2 / _ITEMS  # one purchase in five is of two units
    totals = [int(share * chance.uniform(0.5, 0.9)), *[int(share * 2) + _SPARE] * (_ITEMS - 1)]
    mark = now_ms() % 1_000_000
    return [
        Plan(
            name=f"siege {no}",
            seed=seed,
            sku=f"siege-{seed}-{no}-{mark}",
            total=total,
            per_buyer=3,
            hold=_HOLD_S,
            fault_at=0.0,
            rate=_RATE / _ITEMS,
            buyers=total,
            threads=8,
            patience=0.5,
        )
        for no, total in enumerate(totals, 1)
    ]


@dataclass(frozen=True, slots=True)
class _Sale:
    """One item: its crowd, and what was told of it."""

    stage: Stage
    plan: Plan
    history: History

    def open(self) -> None:
        self.stage.open_sale(self.plan)

    def unknown(self) -> int:
        told = self.history.told
        return len({one.attempt.key for one in told if one.meaning in (UNKNOWN, BROKEN) and not one.polled})

    def resolve(self) -> int:
        """Ask for what is unknown; how much still is."""
        return resolve(self.stage.sidecar.address, self.plan, self.history, _DRAIN_WITHIN_S)

    def drained(self) -> bool:
        outbox, orders, written_or_parked = self.stage.shelf.progress(self.plan.sku)
        return not outbox and orders <= written_or_parked

    def findings(self) -> list[Finding]:
        books = self.stage.shelf.read(self.plan.sku)
        return check(Case(self.history.told, books, self.plan.total, self.plan.per_buyer))


class _Siege:
    def __init__(self, stage: Stage, sales: Sequence[_Sale], seed: int, say: Say) -> None:
        self.stage, self.sales, self.seed, self.say = stage, sales, seed, say
        self.began = time.monotonic()

    def play(self, orders: int) -> Outcome:
        killed = self._sell(orders)
        seconds, healed = self._elapsed(), time.monotonic()
        unknown = sum(sale.unknown() for sale in self.sales)
        self.say(f"{seconds:5.0f} s  all runs again; asking for {unknown} unknown outcomes")
        with ThreadPoolExecutor(len(self.sales)) as pool:
            unresolved = sum(pool.map(_Sale.resolve, self.sales))
        resolved_s = time.monotonic() - healed
        eventually(lambda: all(sale.drained() for sale in self.sales), _DRAIN_WITHIN_S, "outbox and queue are empty")
        drained_s = time.monotonic() - healed
        self.say(f"{self._elapsed():5.0f} s  drained; auditing")
        audit, code = _audit(self.stage)
        return Outcome(
            orders=self._orders(),
            requests=sum(len(sale.history.told) for sale in self.sales),
            seconds=seconds,
            killed=killed,
            unknown=unknown,
            resolved=unknown - unresolved,
            resolved_s=resolved_s,
            drained_s=drained_s,
            findings=[finding for sale in self.sales for finding in sale.findings()],
            audit=audit,
            audit_code=code,
        )

    def _sell(self, orders: int) -> Counter[str]:
        """Buying and killing, until it is enough; all runs when this returns."""
        with ExitStack() as crowds:
            for sale in self.sales:
                sale.open()
                crowds.enter_context(buying(self.stage.sidecar.address, sale.plan, sale.history))
            with Hunt(prey_on(self.stage), self.seed) as hunt:
                self._await(lambda: hunt.got_all() and self._orders() >= orders, hunt, within=600 + orders / 50)
        return hunt.killed

    def _await(self, enough: Callable[[], bool], hunt: Hunt, within: float) -> None:
        for _ in range(int(within / _LOOK_EVERY_S)):
            try:
                eventually(enough, _LOOK_EVERY_S)
            except TimeoutError:
                self.say(f"{self._elapsed():5.0f} s  {self._orders()} orders, {hunt.killed.total()} kills")
            else:
                return
        raise TimeoutError(f"not enough was sold within {within:g} s: {self._orders()} orders, killed: {hunt.killed}")

    def _orders(self) -> int:
        return sum(len(sale.history.orders) for sale in self.sales)

    def _elapsed(self) -> float:
        return time.monotonic() - self.began


def _audit(stage: Stage) -> tuple[dict[str, Any], int]:
    """What the program's own audit prints, and its exit code."""
    done = subprocess.run(
        [*COMMAND, "audit", "-c", str(stage.home.config), "--json"],
        env={**os.environ, "SECKILL_SECRET": stage.home.secret.value},
        capture_output=True,
        text=True,
        timeout=_AUDIT_WITHIN_S,
        check=False,
    )
    try:
        return json.loads(done.stdout), done.returncode
    except ValueError as error:
        raise RuntimeError(f"audit exited with {done.returncode}\n{done.stdout}{done.stderr}") from error
