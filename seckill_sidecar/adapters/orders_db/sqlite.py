"""SQLite, by the standard library: the embedded default. One writer at a time, also among processes."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from seckill_sidecar.adapters.orders_db.session import Fault, Session, Statement
from seckill_sidecar.adapters.orders_db.sql_text import SQLITE
from seckill_sidecar.adapters.orders_db.sqlite_faults import fault_of
from seckill_sidecar.errors import ConfigurationError, Problem, SchemaMismatch

_OLDEST = (3, 26)
_BULK = ("INSERT", "UPDATE", "DELETE", "REPLACE")
"""What ``sqlite3``'s executemany takes."""
_TABLES = Statement("tables", "SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
_PAUSE = 0.02
"""Seconds from one try to the next."""
_CONSTRAINT = re.compile(r"\bCONSTRAINT (\w+) ")


class SQLite:
    """``Dialect`` for ``sqlite:///relative.db`` and ``sqlite:////absolute.db``."""

    folder = "sqlite"
    syntax = SQLITE
    errors: tuple[type[Exception], ...] = (sqlite3.Error, sqlite3.Warning)

    def __init__(self, url: str) -> None:
        self._path = _path(url)
        self.where = f"sqlite:///{self._path}"

    def open(self, patience: float) -> Session:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise SchemaMismatch("database", f"SQLite {sqlite3.sqlite_version} is too old, 3.26 or later is needed")
        # The pool hands a session to one thread at a time.
        connection = sqlite3.connect(self._path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            _write_ahead(connection, patience)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return Session(connection, begin="BEGIN IMMEDIATE")

    def compile(self, name: str, sql: str, ours: bool) -> Statement:
        names = tuple(self.syntax.parameters(sql))
        return Statement(name, sql, bulk=sql.upper().startswith(_BULK), ours=ours, parameters=names)

    def many(self, values: Sequence[str]) -> str:
        return json.dumps(values)

    def fault(self, error: Exception) -> Fault:
        return fault_of(error)

    @contextmanager
    def migrating(self, session: Session, _patience: float) -> Iterator[None]:
        session.begin(writing=True)
        yield
        session.commit()

    # -- what is asked before a sale: settings and engines it has none, and its clock is ours

    def absent(self) -> str:
        return "" if Path(self._path).exists() else f"there is no file {self._path}"

    def vitals(self, _session: Session) -> tuple[str, dict[str, str]]:
        return f"SQLite {sqlite3.sqlite_version}", {}

    def now(self, _session: Session) -> float:
        return time.time()

    def constraints(self, session: Session) -> frozenset[str]:
        return frozenset(name for (sql,) in session.fetch(_TABLES, {}) for name in _CONSTRAINT.findall(sql))

    def untransactional(self, _session: Session) -> tuple[str, ...]:
        return ()

    def prepare(self, session: Session, statement: Statement) -> None:
        session.fetch(Statement(statement.name, f"EXPLAIN {statement.sql}"), dict.fromkeys(statement.parameters))


def _write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Have the file's journal be written ahead, which SQLite tries once only while others open it for the first time.

    The connection's own timeout covers everything else.
    """
    until = time.monotonic() + patience
    while not _is_written_ahead(connection, until):
        time.sleep(_PAUSE)


def _is_written_ahead(connection: sqlite3.Connection, until: float) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
            raise
        return False
    return True


def _path(url: str) -> str:
    path = unquote(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path or path.startswith(":memory:") or "?" in path:
        what = "is no database file; write sqlite:///relative.db or sqlite:////absolute/path.db"
        raise ConfigurationError([Problem("settings", 0, 0, "stores.database", what)])
    return path
