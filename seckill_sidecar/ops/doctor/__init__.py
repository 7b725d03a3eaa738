"""``seckill-sidecar doctor``: asks every real thing before the sale, and says what to mend.

Exit code 0 if nothing is to be mended, 3 if there are warnings only, 1 if something fails. Changes nothing that stays.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.ops.doctor import broker, clocks, database, host, ledger, report, storefront
from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ports import BrokerVitals, DatabaseVitals, LedgerVitals
from seckill_sidecar.settings import Settings

T = TypeVar("T")

_MEND = "start it, or mend its address, user and password in stores: and the network between"


@dataclass(frozen=True, slots=True)
class Questions:
    """Who can be asked. Each raises ``StoreError`` if there is no answer."""

    settings: Settings
    clock: Clock
    ledger: Callable[[], LedgerVitals]
    broker: Callable[[], BrokerVitals] | None
    """None with ``broker: none``."""
    database: Callable[[], DatabaseVitals]
    storefront: storefront.Ask | None
    """None if nobody says where it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def run(arguments: argparse.Namespace, questions: Questions) -> tuple[str, int]:
    """What to print, and the exit code."""
    findings = list(examine(questions))
    return (report.as_json if arguments.json else report.as_text)(findings), report.exit_code(findings)


def examine(questions: Questions) -> Iterator[Finding]:
    """Ask everybody, one after the other."""
    ahead: dict[str, float] = {}
    yield from _redis(questions, ahead)
    yield from _rabbitmq(questions)
    yield from _database(questions, ahead)
    yield from _storefront(questions, ahead)
    yield from clocks.judge(ahead)
    yield from _host(questions)


def _redis(questions: Questions, ahead: dict[str, float]) -> Iterator[Finding]:
    vitals = yield from _asked("redis", questions.ledger)
    if vitals is not None:
        ahead["redis"] = vitals.ahead
        yield from ledger.judge(vitals)


def _rabbitmq(questions: Questions) -> Iterator[Finding]:
    if questions.broker is None:
        yield Subject("rabbitmq").skipped("reachable", "stores.broker is none: the relay writes to the database")
        return
    vitals = yield from _asked("rabbitmq", questions.broker)
    if vitals is not None:
        yield from broker.judge(vitals, questions.settings.broker)


def _database(questions: Questions, ahead: dict[str, float]) -> Iterator[Finding]:
    vitals = yield from _asked("database", questions.database)
    if vitals is not None:
        if not vitals.schema:
            ahead["database"] = vitals.ahead
        yield from database.judge(vitals)


def _storefront(questions: Questions, ahead: dict[str, float]) -> Iterator[Finding]:
    if questions.storefront is None:
        yield Subject("storefront").skipped("reachable", "stores.storefront names none: the middleware needs none")
        return
    routes = tuple(route for route in questions.settings.routes if route.on_accept == "storefront")
    yield from storefront.examine(questions.storefront, routes, ahead, questions.clock.wall)


def _host(questions: Questions) -> Iterator[Finding]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield host.judge_files(questions.settings, limit, "this process")
    yield from host.judge_disk(questions.settings)


def _asked(name: str, ask: Callable[[], T]) -> Generator[Finding, None, T | None]:
    """The answer, after a finding about whether there was one."""
    subject = Subject(name)
    try:
        answer = ask()
    except StoreError as error:
        yield subject.fail("reachable", error.what, _MEND)
        return None
    yield subject.ok("reachable", "it answers")
    return answer
