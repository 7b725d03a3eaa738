"""MySQL and MariaDB, by PyMySQL: the only file that imports it."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.cursors import RE_INSERT_VALUES

from seckill_sidecar.adapters.orders_db import mysql_vitals
from seckill_sidecar.adapters.orders_db.mysql_faults import fault_of
from seckill_sidecar.adapters.orders_db.mysql_url import parse_address
from seckill_sidecar.adapters.orders_db.session import Fault, Session, Statement
from seckill_sidecar.adapters.orders_db.sql_text import MYSQL
from seckill_sidecar.errors import SchemaMismatch, StoreDown
from seckill_sidecar.settings.schema import Timeouts

_SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_PLAIN = re.compile(r"[A-Za-z0-9_~.:@-]*")
"""Text that is written between quotes as it is."""
_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")
_LOCK = Statement("lock_migrations", "SELECT GET_LOCK(CONCAT('seckill_migrate_', MD5(DATABASE())), 1)")
_UNLOCK = Statement("unlock_migrations", "SELECT RELEASE_LOCK(CONCAT('seckill_migrate_', MD5(DATABASE())))")
"""A lock's name is global to a server, so it holds the database's."""


class MySQL:
    """``Dialect`` for ``mysql://`` URLs."""

    folder = "mysql"
    syntax = MYSQL
    errors: tuple[type[Exception], ...] = (pymysql.MySQLError,)

    def __init__(self, url: str, timeouts: Timeouts) -> None:
        self._address = parse_address(url)
        self._tls = self._address.tls()
        self._timeouts = timeouts
        self.where = str(self._address)

    def open(self, patience: float) -> Session:
        try:
            connection = self._connect(patience)
        except (struct.error, IndexError, ValueError) as error:  # PyMySQL, on a greeting that is none
            raise StoreDown("database", f"{self.where} does not answer as MySQL does") from error
        try:
            with connection.cursor() as cursor:
                self._prepare(cursor, patience)
        except BaseException:
            connection.close()
            raise
        return Session(connection)

    def _connect(self, patience: float) -> pymysql.Connection[Any]:
        address = self._address
        return _Connection(
            host=address.host,
            port=address.port,
            unix_socket=address.unix_socket,
            user=address.user,
            password=address.password.encode(),  # as text it would have to be latin-1
            database=address.database,
            charset="utf8mb4",
            ssl=self._tls,
            ssl_disabled=address.ssl == "off",
            connect_timeout=self._timeouts.connect,
            read_timeout=patience,
            write_timeout=patience,
            sql_mode=_SQL_MODE,
            autocommit=False,
            program_name="seckill-sidecar",
        )

    def _prepare(self, cursor: Any, patience: float) -> None:
        cursor.execute("SELECT VERSION()")
        mariadb = refuse_old(cursor.fetchone()[0])
        # Shorter than the socket's timeout: "lock wait timeout" says more than "connection lost".
        wait = max(1, int(patience / 2))
        enforced = ", check_constraint_checks = 1" if mariadb else ""
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}{enforced}")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def compile(self, name: str, sql: str, ours: bool) -> Statement:
        converted = self.syntax.rewrite(
            sql, parameter=lambda parameter: f"%({parameter})s", rest=lambda text: text.replace("%", "%%")
        )
        names = tuple(self.syntax.parameters(sql))
        return Statement(name, converted, bulk=_takes_many_rows(converted), ours=ours, parameters=names)

    def many(self, values: Sequence[str]) -> tuple[str, ...]:
        return tuple(values)

    def fault(self, error: Exception) -> Fault:
        return fault_of(int(error.args[0]) if error.args else 0, getattr(error, "sqlstate", None))

    @contextmanager
    def migrating(self, session: Session, patience: float) -> Iterator[None]:
        _wait_for_lock(session, patience)
        yield
        session.commit()
        session.fetch(_UNLOCK, {})

    def absent(self) -> str:
        return ""

    vitals = staticmethod(mysql_vitals.vitals)
    now = staticmethod(mysql_vitals.now)
    constraints = staticmethod(mysql_vitals.constraints)
    untransactional = staticmethod(mysql_vitals.untransactional)
    prepare = staticmethod(mysql_vitals.prepare)


class _Connection(pymysql.Connection):
    """PyMySQL's connection, quicker at quoting what most values are: that is half of what a written row costs us."""

    def escape(self, obj: object, mapping: Any = None) -> str:
        if type(obj) is int:
            return str(obj)
        if isinstance(obj, str) and _PLAIN.fullmatch(obj):
            return f"'{obj}'"
        return super().escape(obj, mapping)  # type: ignore[no-any-return,unused-ignore]


def _wait_for_lock(session: Session, patience: float) -> None:
    deadline = time.monotonic() + patience
    while session.fetch(_LOCK, {}) != [(1,)]:
        if time.monotonic() > deadline:
            raise StoreDown("database", f"another process has been migrating it for {patience:g} s")


def refuse_old(version: str) -> bool:
    """Whether it is MariaDB; refuses versions that don't enforce CHECK or lack what the queries use."""
    mariadb = "mariadb" in version.lower()
    match = _VERSION.match(version)
    oldest = (10, 6, 0) if mariadb else (8, 0, 16)
    if match is None or tuple(map(int, match.groups())) < oldest:
        raise SchemaMismatch(
            "database", f"the server is {version}; it takes MySQL 8.0.16 or MariaDB 10.6, or later: upgrade it"
        )
    return mariadb


def _takes_many_rows(sql: str) -> bool:
    """Whether executemany sends many rows in one statement; it can do so with parameters inside VALUES (...) only."""
    match = RE_INSERT_VALUES.match(sql)
    return match is not None and not any("%(" in (part or "").replace("%%", "") for part in match.group(1, 3))
