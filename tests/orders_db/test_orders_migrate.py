"""Migrations: once each, by one at a time, and nothing that does not fit."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from orders_words import Tables, accepted

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.adapters.orders_db.sqlite import _write_ahead
from seckill_sidecar.errors import SchemaMismatch
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

FILES = ["0001_orders.sql"]


def connect(url: str) -> OrdersDb:
    return connect_orders_db(url, WriterSettings(), Timeouts())


def migrate(url: str) -> list[str]:
    return connect(url).migrate()


def test_migrating_twice_applies_each_file_once(tables: Tables) -> None:
    assert migrate(tables.url) == FILES
    assert migrate(tables.url) == []
    assert [name for (name,) in tables.sql("SELECT name FROM seckill_migrations")] == FILES


def test_four_threads_may_migrate_at_once(tables: Tables) -> None:
    together = threading.Barrier(4)

    def run(_: int) -> list[str]:
        together.wait(10)
        return migrate(tables.url)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(run, range(4))) == [[], [], [], FILES]


def test_a_file_that_others_open_at_the_same_moment_is_tried_again() -> None:
    """SQLite says so at once then, whatever the connection's timeout is; twice in 800 tries of twelve threads."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    connection = Mock(execute=Mock(side_effect=[busy, busy, None]))
    _write_ahead(connection, 60.0)
    assert connection.execute.call_count == 3
    connection.execute.side_effect = busy
    with pytest.raises(sqlite3.OperationalError):
        _write_ahead(connection, 0.0)


def test_four_processes_may_migrate_at_once(tables: Tables) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert sorted(processes.map(migrate, [tables.url] * 4)) == [[], [], [], FILES]


def test_a_file_left_half_applied_is_applied_again(tables: Tables) -> None:
    migrate(tables.url)
    tables.sql("DROP TABLE seckill_items")
    tables.sql("DELETE FROM seckill_migrations")
    assert migrate(tables.url) == FILES
    connect(tables.url).write([accepted()])


def test_a_file_applied_with_other_content_is_refused(tables: Tables) -> None:
    migrate(tables.url)
    tables.sql("UPDATE seckill_migrations SET checksum = 'x'")
    with pytest.raises(SchemaMismatch, match="0001_orders"):
        migrate(tables.url)


def test_a_schema_of_a_later_version_is_refused(tables: Tables) -> None:
    migrate(tables.url)
    tables.sql("INSERT INTO seckill_migrations VALUES ('0009_future.sql', 'x', 1)")
    with pytest.raises(SchemaMismatch, match=r"0009_future.*upgrade"):
        migrate(tables.url)


def test_a_refused_migration_leaves_the_lock_free(tables: Tables) -> None:
    test_a_schema_of_a_later_version_is_refused(tables)
    tables.sql("DELETE FROM seckill_migrations WHERE name = '0009_future.sql'")
    assert migrate(tables.url) == []
