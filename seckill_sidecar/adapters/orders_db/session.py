"""One open connection, and what a kind of database adds to the logic that all share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from seckill_sidecar.adapters.orders_db.sql_text import Syntax

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, as its driver takes it."""

    name: str
    """What messages call it: a name in ``queries.sql``, or a place in the configuration."""
    sql: str
    bulk: bool = False
    """Whether the driver's ``executemany`` serves it well (and takes it at all)."""
    ours: bool = True
    """False for the integrator's."""
    parameters: tuple[str, ...] = ()
    """The names of its parameters."""


class Fault(Enum):
    """What an error of a driver means for the transaction that met it."""

    DOWN = auto()
    """The server can't do it now: unreachable, full, read-only."""
    LOST = auto()
    """The connection is gone."""
    BUSY = auto()
    """Rolled back in favour of another transaction, or waited too long for one: try again."""
    DUPLICATE = auto()
    """A unique key has that value already."""
    CHECK = auto()
    """A CHECK constraint says no."""
    DATA = auto()
    """The values are at fault."""
    SCHEMA = auto()
    """The statement does not fit the database: no such table, column, privilege."""


class Session:
    """One DB-API connection. Remembers what it is doing, so that an error can name it."""

    def __init__(self, connection: Any, begin: str = "") -> None:
        self._connection = connection
        self._begin = begin
        self.doing = "connecting"
        self.ours = True
        self.committing = False
        self.reused = False
        """Whether it served an earlier transaction, and so may have been closed by the server since."""
        self.idle_since = 0.0

    def begin(self, writing: bool) -> None:
        """Begin a transaction, if the driver does not by itself."""
        self.doing, self.ours, self.committing = "begin", True, False
        if self._begin:
            self._connection.execute(self._begin if writing else "BEGIN")

    def run(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Run a statement once for each row of parameters."""
        self.doing, self.ours = statement.name, statement.ours
        cursor = self._connection.cursor()
        if statement.bulk:
            cursor.executemany(statement.sql, rows)
        else:
            for row in rows:
                cursor.execute(statement.sql, row)
        cursor.close()

    def fetch(self, statement: Statement, parameters: Parameters) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        self.doing = statement.name
        cursor = self._connection.cursor()
        cursor.execute(statement.sql, parameters)
        rows = list(cursor.fetchall())
        cursor.close()
        return rows

    def commit(self) -> None:
        """Commit. From here on an error leaves the outcome unknown."""
        self.doing, self.ours, self.committing = "commit", True, True
        self._connection.commit()

    def rollback(self) -> None:
        """Undo what was not committed."""
        self.doing = "rollback"
        self._connection.rollback()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


class Dialect(Protocol):
    """What differs between kinds of databases."""

    folder: str
    """Where its SQL stands: ``sql/<folder>/``."""
    where: str
    """The database's address for messages, without its password."""
    syntax: Syntax
    errors: tuple[type[Exception], ...]
    """What its driver raises."""

    def open(self, patience: float) -> Session:
        """Connect, and see that the server is fit; ``patience`` is what one statement may take, in seconds."""

    def compile(self, name: str, sql: str, ours: bool) -> Statement:
        """A statement with ``:name`` parameters in the form that the driver takes."""

    def many(self, values: Sequence[str]) -> Any:
        """Several values as one parameter, ``:order_ids``."""

    def fault(self, error: Exception) -> Fault:
        """What an error means."""

    def migrating(self, session: Session, patience: float, /) -> AbstractContextManager[None]:
        """Hold a lock against other migrating processes, waited for in seconds; commits at the end."""

    # -- what is asked before a sale, see examination.py

    def absent(self) -> str:
        """What is not there, if asking for it would make it; empty for a server."""

    def vitals(self, session: Session, /) -> tuple[str, Mapping[str, str]]:
        """The server's name and version, and those of its own settings that decide over durability."""

    def now(self, session: Session, /) -> float:
        """Its time, in seconds since 1970."""

    def constraints(self, session: Session, /) -> frozenset[str]:
        """The names of the unique keys and CHECK constraints that it holds."""

    def untransactional(self, session: Session, /) -> tuple[str, ...]:
        """Tables of ours that know no transactions."""

    def prepare(self, session: Session, statement: Statement, /) -> None:
        """Have a statement read and looked up without running it; raises what the driver does."""
