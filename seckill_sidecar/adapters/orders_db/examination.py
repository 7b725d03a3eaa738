"""What an orders database tells before a sale: its schema, its own settings, and whether an order can be written.

What is written is a made-up order, in a transaction that is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from seckill_sidecar.adapters.orders_db import migrations
from seckill_sidecar.adapters.orders_db.session import Dialect, Session, Statement
from seckill_sidecar.clock import Clock, order_ids
from seckill_sidecar.errors import SchemaMismatch
from seckill_sidecar.model import Event, EventKind, Order, State
from seckill_sidecar.ports import DatabaseVitals

PROBE = "seckill-probe"
"""The item of the made-up order."""
_NAMED = re.compile(r"^    (?:CONSTRAINT|UNIQUE KEY) (\w+) ", re.MULTILINE)

Rehearse = Callable[[Session, Event], None]


def examine(
    session: Session,
    dialect: Dialect,
    queries: Mapping[str, Statement],
    integrators: Iterable[Statement],
    rehearse: Rehearse | None,
    clock: Clock,
) -> DatabaseVitals:
    """Ask everything; without ``rehearse``, what matters to who only reads.

    A statement that is refused is told of; an error means that the connection was lost.
    """
    server, variables = dialect.vitals(session)
    files = migrations.schema_files(dialect)
    schema = _schema(session, dialect, queries, files)
    if schema:
        return DatabaseVitals(server, variables, schema)
    if rehearse is None:
        return DatabaseVitals(server, variables, schema, ahead=_ahead(session, dialect, clock))
    untransactional = dialect.untransactional(session)
    held = dialect.constraints(session)
    wanted = sorted({name for file in files for name in _NAMED.findall(file.text)})
    return DatabaseVitals(
        server=server,
        variables=variables,
        schema="",
        missing=tuple(name for name in wanted if name not in held),
        untransactional=untransactional,
        # Such tables would keep the made-up order.
        no_write="" if untransactional else _no_write(session, dialect, rehearse, clock),
        statements={statement.name: why for statement in integrators if (why := _untaken(session, dialect, statement))},
        ahead=_ahead(session, dialect, clock),
    )


def _schema(
    session: Session, dialect: Dialect, queries: Mapping[str, Statement], files: list[migrations.SchemaFile]
) -> str:
    try:
        applied = dict(session.fetch(queries["applied"], {}))
    except dialect.errors as error:
        session.rollback()
        return f"it has no tables of ours ({_said(error)})"
    try:
        migrations.refuse_others(applied, files)
    except SchemaMismatch as error:
        return error.what
    missing = [file.name for file in files if file.name not in applied]
    return f"{', '.join(missing)} is not applied" if missing else ""


def _no_write(session: Session, dialect: Dialect, rehearse: Rehearse, clock: Clock) -> str:
    session.begin(writing=True)
    try:
        rehearse(session, _made_up(clock))
    except dialect.errors as error:
        return f"{session.doing}: {_said(error)}"
    finally:
        session.rollback()
    return ""


def _made_up(clock: Clock) -> Event:
    now = int(clock.wall() * 1000)
    order = Order(order_ids(clock)(PROBE), PROBE, 1, 1, "nobody", 1, State.HELD, now, now)
    return Event(EventKind.ACCEPTED, 1, order, 1, now, chain=1)


def _untaken(session: Session, dialect: Dialect, statement: Statement) -> str:
    try:
        dialect.prepare(session, statement)
    except dialect.errors as error:
        return _said(error)
    return ""


def _ahead(session: Session, dialect: Dialect, clock: Clock) -> float:
    began, wall = clock.monotonic(), clock.wall()
    theirs = dialect.now(session)
    return theirs - (wall + (clock.monotonic() - began) / 2)


def _said(error: Exception) -> str:
    return ": ".join(str(part) for part in error.args)[:300]
