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
from seckill_sidecar.errors import SchemaMismatch, StoreError, UsageError
from seckill_sidecar.ops.doctor import broker, clocks, database, host, ledger, replica, report, storefront, through
from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ops.doctor.through import Door
from seckill_sidecar.ports import BrokerVitals, DatabaseVitals, LedgerVitals
from seckill_sidecar.settings import Settings

__all__ = ["Door", "Questions", "add_arguments", "examine", "run"]

T = TypeVar("T")

_MEND = "start it, or mend its address, user and password in stores: and the network between"


_FIT = "seckill-sidecar migrate, if there is nothing yet; else mend what it says"


@dataclass(frozen=True, slots=True)
class Questions:
    """Who can be asked. Each raises ``StoreError`` if there is no answer."""

    settings: Settings
    clock: Clock
    ledger: Callable[[], LedgerVitals]
    broker: Callable[[], BrokerVitals] | None
    """None with ``broker: none``."""
    database: Callable[[], DatabaseVitals]
    replica: Callable[[], DatabaseVitals] | None
    """None without one."""
    storefront: storefront.Ask | None
    """None if nobody says where it is."""
    door: Callable[[str], Door]
    """The way through the nginx at an address. Raises ``UsageError`` if the site can't prove who asks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--through",
        metavar="URL",
        help="ask through the nginx at this address, too: http://shop.example/; the sidecar has to run",
    )


def run(arguments: argparse.Namespace, questions: Questions) -> tuple[str, int]:
    """What to print, and the exit code."""
    findings = list(examine(questions, arguments.through))
    return (report.as_json if arguments.json else report.as_text)(findings), report.exit_code(findings)


def examine(questions: Questions, url: str | None = None) -> Iterator[Finding]:
    """Ask everybody, one after the other; nginx only if it is known by which ``url``."""
    ahead: dict[str, float] = {}
    files: list[int] = []
    yield from _redis(questions, ahead)
    yield from _rabbitmq(questions)
    yield from _database(questions, ahead)
    yield from _replica(questions)
    yield from _storefront(questions, ahead)
    yield from _nginx(questions, url, files)
    yield from clocks.judge(ahead)
    yield from _host(questions, files)


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


def _replica(questions: Questions) -> Iterator[Finding]:
    if questions.replica is None:
        return
    vitals = yield from _asked("replica", questions.replica)
    if vitals is not None:
        yield from replica.judge(vitals)


def _storefront(questions: Questions, ahead: dict[str, float]) -> Iterator[Finding]:
    if questions.storefront is None:
        yield Subject("storefront").skipped("reachable", "stores.storefront names none: the middleware needs none")
        return
    routes = tuple(route for route in questions.settings.routes if route.on_accept == "storefront")
    yield from storefront.examine(questions.storefront, routes, ahead, questions.clock.wall)


def _nginx(questions: Questions, url: str | None, files: list[int]) -> Iterator[Finding]:
    if url is None:
        yield Subject("nginx").skipped("routes", "not asked: say through which address, --through http://shop.example/")
        return
    if not url.startswith(("http://", "https://")):
        raise UsageError("--through wants an address of nginx: http://shop.example/ or https://shop.example/")
    yield from through.examine(questions.door(url), questions.settings, files)


def _host(questions: Questions, files: list[int]) -> Iterator[Finding]:
    """``files`` is what a worker says that it may open; without it, this process speaks for it."""
    if files:
        yield host.judge_files(questions.settings, files[0], "a worker")
    else:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield host.judge_files(questions.settings, limit, "this process")
    yield from host.judge_disk(questions.settings)


def _asked(name: str, ask: Callable[[], T]) -> Generator[Finding, None, T | None]:
    """The answer, after a finding about whether there was one."""
    subject = Subject(name)
    try:
        answer = ask()
    except SchemaMismatch as error:
        yield subject.fail("reachable", error.what, _FIT)
        return None
    except StoreError as error:
        yield subject.fail("reachable", error.what, _MEND)
        return None
    yield subject.ok("reachable", "it answers")
    return answer
