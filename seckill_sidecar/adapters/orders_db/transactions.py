"""Transactions of any dialect: begun, tried again where that helps, and ended for sure.

A driver's error becomes ours here, by what it means and by when it came: before COMMIT nothing was changed; during it,
nobody knows, and doing the same again is the answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from seckill_sidecar import faults
from seckill_sidecar.adapters.orders_db.pool import Pool
from seckill_sidecar.adapters.orders_db.session import Dialect, Fault, Session, Statement
from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import (
    NumberTaken,
    OutcomeUnknown,
    OverTotal,
    SchemaMismatch,
    StoreDown,
    StoreError,
    Unwritable,
)

ATTEMPTS = 4
"""How often a transaction is tried that lost against another one, or whose connection was closed while idle."""
PAGE = 1000
"""Rows in memory at a time, where there may be many."""
_BOUND = "seckill_items_bound"
_NUMBERS = ("seckill_orders_seq", "seckill_orders.seq")
"""How MySQL, and SQLite, name the key that two orders with one number break."""
_SAID = 500

T = TypeVar("T")


class _Failed(Exception):
    """What a transaction failed with, and whether it is worth another attempt at once."""

    def __init__(self, error: StoreError, again: bool) -> None:
        super().__init__(error)
        self.error = error
        self.again = again


class Transactions:
    """Runs work in transactions, on a bounded pool of connections. Safe to share among threads and greenlets."""

    def __init__(
        self, dialect: Dialect, queries: Mapping[str, Statement], patience: float, connections: int, clock: Clock
    ) -> None:
        self._dialect = dialect
        self._queries = queries
        self._pool = Pool(lambda: self._open(patience), connections, patience, clock)

    def find(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows that one of our queries finds."""
        return self.run(lambda session: session.fetch(self._queries[query], parameters), writing=False)

    def page(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The same, at most ``PAGE`` rows of them."""
        return self.find(query, most=PAGE, **parameters)

    def run(self, work: Callable[[Session], T], writing: bool = True) -> T:
        """One transaction around ``work``, committed if ``writing``. Raises ``StoreError``."""
        attempt = 1
        while True:
            try:
                with self._transaction(writing) as session:
                    return work(session)
            except _Failed as failed:
                if attempt == ATTEMPTS or not failed.again:
                    raise failed.error from failed.__cause__
                attempt += 1

    def alone(self, work: Callable[[Session], T], patience: float) -> T:
        """``work`` on a connection of its own, whose statements may take ``patience`` seconds; it commits by itself."""
        session = self._open(patience)
        try:
            return work(session)
        except self._dialect.errors as error:
            raise self._failed(session, error).error from error
        finally:
            _end(session)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.clear()

    @contextmanager
    def _transaction(self, writing: bool) -> Iterator[Session]:
        session = self._pool.take()
        try:
            session.begin(writing)
            yield session
            if writing:
                faults.hit("before_commit")
                session.commit()
                faults.hit("after_commit")
            else:
                session.rollback()
        except self._dialect.errors as error:
            failed = self._failed(session, error)
            self._pool.discard(session, _end)
            raise failed from error
        except BaseException:
            self._pool.discard(session, _end)
            raise
        self._pool.give(session)

    def _open(self, patience: float) -> Session:
        try:
            return self._dialect.open(patience)
        except self._dialect.errors as error:
            raise StoreDown("database", f"can't connect to {self._dialect.where}: {_said(error)}") from error

    def _failed(self, session: Session, error: Exception) -> _Failed:
        fault = self._dialect.fault(error)
        said = f"{session.doing}: {_said(error)}"
        if session.committing and fault is not Fault.BUSY:
            return _Failed(OutcomeUnknown("database", said), again=False)
        if fault is Fault.LOST:
            self._pool.clear()  # what broke one connection broke those that are idle
            return _Failed(StoreDown("database", said), again=session.reused)
        # Another writer may have inserted our row; the integrator's keys are theirs to look after.
        again = fault is Fault.BUSY or (fault is Fault.DUPLICATE and session.ours)
        return _Failed(_MEANINGS[fault](said), again)


def _check(said: str) -> StoreError:
    if _BOUND in said:
        return OverTotal("database", f"held and paid units would exceed the item's total ({said})")
    return Unwritable("database", said)


def _duplicate(said: str) -> StoreError:
    if any(name in said for name in _NUMBERS):
        return NumberTaken("database", f"another order has its number in the item's epoch ({said})")
    return Unwritable("database", said)


_MEANINGS: dict[Fault, Callable[[str], StoreError]] = {
    Fault.DOWN: lambda said: StoreDown("database", said),
    Fault.BUSY: lambda said: StoreDown("database", f"{said}, {ATTEMPTS} times"),
    Fault.DUPLICATE: _duplicate,
    Fault.CHECK: _check,
    Fault.DATA: lambda said: Unwritable("database", said),
    Fault.SCHEMA: lambda said: SchemaMismatch(
        "database", f"{said}; mend the statement or the database (are migrations and privileges complete?)"
    ),
}


def _end(session: Session) -> None:
    """Roll back by word, not only by hanging up: the server may take its time to notice the latter."""
    with contextlib.suppress(Exception):
        session.rollback()
    with contextlib.suppress(Exception):
        session.close()


def _said(error: Exception) -> str:
    """A driver's words, with the code first if it has one."""
    return ": ".join(str(part) for part in error.args)[:_SAID]
