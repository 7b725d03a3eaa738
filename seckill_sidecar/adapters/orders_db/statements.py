"""The statements that are run: ours, named in ``sql/<kind>/queries.sql``, and the integrator's, of the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from seckill_sidecar.adapters.orders_db.session import Dialect, Statement
from seckill_sidecar.adapters.orders_db.sql_text import SqlTextError
from seckill_sidecar.errors import ConfigurationError, Problem
from seckill_sidecar.model import State
from seckill_sidecar.settings.schema import STATEMENT_NAMES, WriterSettings

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def sql_folder(dialect: Dialect) -> Traversable:
    """Where the SQL of one kind of database stands, in a wheel as in a checkout."""
    return resources.files("seckill_sidecar.adapters.orders_db") / "sql" / dialect.folder


def load_queries(dialect: Dialect) -> dict[str, Statement]:
    """Our statements, by name."""
    text = (sql_folder(dialect) / "queries.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: _compile_ours(dialect, name, body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _compile_ours(dialect: Dialect, name: str, body: str) -> Statement:
    (sql,) = dialect.syntax.split(body)
    return dialect.compile(name, sql, ours=True)


def compile_integrators(dialect: Dialect, settings: WriterSettings) -> dict[State, list[Statement]]:
    """The integrator's statements, by the state that an order enters; raises one ``ConfigurationError`` for all."""
    problems: list[Problem] = []
    compiled: dict[State, list[Statement]] = {state: [] for state in State}
    for state, where, sql in _configured(settings):
        try:
            compiled[state].append(dialect.compile(where, _checked(dialect, sql), ours=False))
        except SqlTextError as error:
            problems.append(Problem("settings", 0, 0, where, str(error)))
    if problems:
        raise ConfigurationError(problems)
    return compiled


def _configured(settings: WriterSettings) -> Iterator[tuple[State, str, str]]:
    lists: Mapping[State, tuple[str, tuple[str, ...]]] = {
        State.HELD: ("on_accepted", settings.on_accepted),
        State.PAID: ("on_paid", settings.on_paid),
        State.CANCELLED: ("on_cancelled", settings.on_cancelled),
        State.EXPIRED: ("on_expired", settings.on_expired),
    }
    for state, (name, statements) in lists.items():
        for index, sql in enumerate(statements):
            yield state, f"writer.{name}.{index}", sql


def _checked(dialect: Dialect, sql: str) -> str:
    """What would otherwise fail at the first order; the settings' own rules say more, and where."""
    statements = dialect.syntax.split(sql)
    if len(statements) != 1:
        raise SqlTextError(f"holds {len(statements)} statements; write one an entry")
    unknown = dialect.syntax.parameters(statements[0]) - STATEMENT_NAMES
    if unknown:
        names = ", ".join(f":{name}" for name in sorted(unknown))
        raise SqlTextError(f"has unknown parameters {names}; known are {', '.join(sorted(STATEMENT_NAMES))}")
    return statements[0]
