"""The orders database: MySQL or MariaDB in production, SQLite embedded, by one URL."""

from __future__ import annotations

from dataclasses import replace

from seckill_sidecar.adapters.orders_db.mysql import MySQL
from seckill_sidecar.adapters.orders_db.mysql_url import SCHEMES
from seckill_sidecar.adapters.orders_db.session import Dialect
from seckill_sidecar.adapters.orders_db.sqlite import SQLite
from seckill_sidecar.adapters.orders_db.store import SqlOrdersDb
from seckill_sidecar.clock import Clock, SystemClock
from seckill_sidecar.errors import ConfigurationError, Problem
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

__all__ = ["connect_orders_db", "connect_replica"]


def connect_orders_db(
    url: str, settings: WriterSettings, timeouts: Timeouts, connections: int = 4, clock: Clock | None = None
) -> OrdersDb:
    """The orders database at a URL; nothing is connected until it is first used.

    Raises ``ConfigurationError`` for a URL or a statement of the integrator's that can't be right (its problems name
    the setting, in file ``settings`` at 0:0).
    """
    return SqlOrdersDb(_dialect(url, timeouts), settings, timeouts, connections, clock or SystemClock())


def connect_replica(
    url: str, settings: WriterSettings, timeouts: Timeouts, connections: int = 4, clock: Clock | None = None
) -> OrdersDb:
    """A MySQL that follows the orders database, to be read only; else as ``connect_orders_db``."""
    try:
        dialect = MySQL(url, timeouts)
    except ConfigurationError as error:
        raise ConfigurationError([replace(problem, where="stores.replica") for problem in error.problems]) from error
    return SqlOrdersDb(dialect, settings, timeouts, connections, clock or SystemClock())


def _dialect(url: str, timeouts: Timeouts) -> Dialect:
    scheme = url.partition(":")[0]
    if scheme in SCHEMES:
        return MySQL(url, timeouts)
    if scheme == "sqlite":
        return SQLite(url)
    what = "write mysql://user:password@host:3306/name, or sqlite:///file"
    raise ConfigurationError([Problem("settings", 0, 0, "stores.database", what)])
