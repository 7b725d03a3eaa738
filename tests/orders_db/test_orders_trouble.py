"""What goes wrong between transactions and with servers, provoked for real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from commit_thief import CommitThief
from orders_words import SKU, Tables, accepted, expired, orders_of, paid
from stack import MariaDB, eventually

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.errors import OutcomeUnknown, SchemaMismatch, StoreDown, TooBusy
from seckill_sidecar.ports import Parked, Written
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

ONE_ID = "sku~" + "0" * 26


# -- competing transactions --------------------------------------------------------------------------


def test_four_writers_of_the_same_events_write_each_once(tables: Tables, open_db) -> None:
    tables.sql("CREATE TABLE steps (order_id varchar(96), step varchar(20))")
    log = "INSERT INTO steps (order_id, step) VALUES (:order_id, :state)"
    db = open_db(tables.url, timeouts=Timeouts.model_validate({"database": "20s"}), on_accepted=(log,), on_paid=(log,))
    orders = [accepted(seq=seq, total=40) for seq in range(1, 41)]
    events = [event for order in orders for event in (order, paid(order))]
    together = threading.Barrier(4)

    def write_all(size: int) -> int:
        together.wait(10)
        return sum(db.write(events[at : at + size]).changed for at in range(0, len(events), size))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(write_all, [80, 20, 14, 4])) == len(events)
    assert list(db.orders(SKU)) == orders_of(map(paid, orders))
    assert tables.item() == (40, 0, 40)
    assert sorted(tables.sql("SELECT order_id, step FROM steps")) == sorted(
        (event.order.id, event.order.state.value) for event in events
    )


@contextmanager
def a_lock_on(tables: Tables, statement: str) -> Iterator[Any]:
    """Another session that has run a statement and neither commits nor rolls back."""
    with closing(tables.connect()) as other, closing(other.cursor()) as cursor:
        cursor.execute(statement)
        yield other
        other.rollback()


def test_a_lock_that_lasts_is_a_database_that_is_down(tables: Tables, open_db) -> None:
    quick = Timeouts.model_validate({"database": "1s" if tables.url.startswith("mysql") else "100ms"})
    db = open_db(tables.url, timeouts=quick)
    event = accepted()
    db.write([event])
    with a_lock_on(tables, "UPDATE seckill_orders SET reason = 'x'"):
        with pytest.raises(StoreDown):
            db.write([paid(event), accepted(seq=2)])
        assert db.order(event.order.id) == event.order  # readers need not wait
    assert db.write([paid(event), accepted(seq=2)]).changed == 2


def test_a_lock_wait_that_times_out_leaves_nothing_behind(mariadb: Tables, open_db) -> None:
    """Error 1205 rolls back one statement only; the rows before it would stay."""
    db = open_db(mariadb.url)
    db.write([accepted(seq=1)])
    with a_lock_on(mariadb, "UPDATE seckill_items SET total = total + 1"):
        with pytest.raises(StoreDown, match=r"raise_totals: 1205: .* 4 times"):
            db.write([accepted(seq=2)])
        assert mariadb.sql("SELECT count(*) FROM seckill_orders") == [(1,)]
    db.write([accepted(seq=3)])
    assert mariadb.item() == (100, 2, 0)


def test_the_loser_of_a_deadlock_tries_again(mariadb: Tables, open_db) -> None:
    mariadb.sql("CREATE TABLE shop (id int PRIMARY KEY, n int)")
    mariadb.sql("INSERT INTO shop VALUES (1, 0), (2, 0)")
    # The other session has changed more rows, so ours is the cheaper one to roll back.
    mariadb.sql("CREATE TABLE heavy (n int)")
    db = open_db(
        mariadb.url, on_accepted=("UPDATE shop SET n = n + 1 WHERE id = 1", "UPDATE shop SET n = n + 1 WHERE id = 2")
    )
    deadlocks = deadlocks_of(mariadb)
    with ThreadPoolExecutor(1) as thread, a_lock_on(mariadb, "UPDATE shop SET n = n + 10 WHERE id = 2") as other:
        other.cursor().execute("INSERT INTO heavy SELECT seq FROM seq_1_to_2000")
        writing = thread.submit(db.write, [accepted()])
        eventually(lambda: waits_for_a_lock(mariadb), what="our writer waits for row 2")
        other.cursor().execute("UPDATE shop SET n = n + 10 WHERE id = 1")
        other.commit()
        assert writing.result(10) == Written(changed=1, repeated=0)
    assert deadlocks_of(mariadb) == deadlocks + 1
    assert mariadb.sql("SELECT id, n FROM shop ORDER BY id") == [(1, 11), (2, 11)]
    assert mariadb.item() == (100, 1, 0)


def deadlocks_of(tables: Tables) -> int:
    return int(tables.sql("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])


def waits_for_a_lock(tables: Tables) -> bool:
    return bool(tables.sql("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"))


def test_another_process_may_hold_the_file_for_a_moment(sqlite_url: str, open_db) -> None:
    db, tables = open_db(sqlite_url), Tables(sqlite_url)
    with ThreadPoolExecutor(1) as thread:
        with a_lock_on(tables, "BEGIN IMMEDIATE"):
            writing = thread.submit(db.write, [accepted()])
            assert not writing.done()
        assert writing.result(10).changed == 1


# -- connections that break --------------------------------------------------------------------------


def test_after_the_connections_were_killed_the_next_call_works(mariadb: Tables, open_db) -> None:
    db = open_db(mariadb.url)
    event = accepted()
    db.write([event])
    kill_connections(mariadb)
    assert db.order(event.order.id) == event.order
    kill_connections(mariadb)
    assert db.write([paid(event)]).changed == 1


def kill_connections(tables: Tables) -> None:
    ids = tables.sql("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
    assert ids
    for (thread_id,) in ids:
        tables.sql(f"KILL CONNECTION {thread_id}")
    eventually(lambda: not tables.sql(f"SELECT 1 FROM information_schema.processlist WHERE id = {ids[0][0]}"))


def test_a_connection_killed_in_the_middle_leaves_nothing_behind(mariadb: Tables, open_db) -> None:
    mariadb.sql("CREATE TABLE shop (n int)")
    mariadb.sql("INSERT INTO shop VALUES (0)")
    db = open_db(mariadb.url, on_accepted=("UPDATE shop SET n = n + 1",))
    with ThreadPoolExecutor(1) as thread, a_lock_on(mariadb, "UPDATE shop SET n = n + 10"):
        writing = thread.submit(db.write, [accepted()])
        eventually(lambda: waits_for_a_lock(mariadb), what="our writer waits")
        ((writer_id,),) = mariadb.sql(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        )
        mariadb.sql(f"KILL CONNECTION {writer_id}")
        with pytest.raises(StoreDown, match=r"writer\.on_accepted\.0"):
            writing.result(10)
    assert mariadb.sql("SELECT count(*) FROM seckill_orders") == [(0,)]


def test_a_killed_server_is_down_and_back_without_help(mariadb_server: MariaDB, mariadb: Tables, open_db) -> None:
    db = open_db(mariadb.url)
    event = accepted()
    db.write([event])
    mariadb_server.kill()
    for _ in range(2):
        with pytest.raises(StoreDown):
            db.write([paid(event)])
    with pytest.raises(StoreDown):
        db.order(event.order.id)
    mariadb_server.start()
    assert db.order(event.order.id) == event.order
    assert db.write([paid(event)]).changed == 1


def test_a_server_that_stands_still_is_down_in_time(mariadb_server: MariaDB, mariadb: Tables, open_db) -> None:
    db = open_db(mariadb.url, timeouts=Timeouts.model_validate({"database": "300ms", "connect": "300ms"}))
    event = accepted()
    db.write([event])
    mariadb_server.pause()
    try:
        with pytest.raises(StoreDown):
            db.write([paid(event)])
        with pytest.raises(StoreDown):
            db.order(event.order.id)
    finally:
        mariadb_server.resume()
    assert eventually(lambda: attempt(db, [paid(event)])) in (Written(1, 0), Written(0, 1))


def attempt(db, events) -> Written | None:
    try:
        return db.write(events)
    except StoreDown:
        return None


def test_a_lost_reply_to_commit_leaves_the_outcome_unknown_and_writing_again_safe(mariadb: Tables, open_db) -> None:
    mariadb.sql("CREATE TABLE steps (order_id varchar(96))")
    with CommitThief(mariadb.url) as thief:
        db = open_db(thief.url, on_accepted=("INSERT INTO steps VALUES (:order_id)",))
        events = [accepted(seq=seq) for seq in range(1, 4)]
        thief.arm()
        with pytest.raises(OutcomeUnknown):
            db.write(events)
        assert thief.stolen == 1
        assert db.write(events) == Written(changed=0, repeated=3)
        db.close()
    assert mariadb.item() == (100, 3, 0)
    assert mariadb.sql("SELECT count(*) FROM steps") == [(3,)]


def test_a_lost_reply_to_parking_parks_once(mariadb: Tables, open_db) -> None:
    with CommitThief(mariadb.url) as thief:
        db = open_db(thief.url)
        message = Parked("id", "why", b"body", 1)
        thief.arm()
        with pytest.raises(OutcomeUnknown):
            db.park(message)
        db.park(message)
        assert list(db.parked()) == [message]
        db.close()


# -- servers that refuse -----------------------------------------------------------------------------


def test_a_read_only_server_is_down(mariadb: Tables, mariadb_server: MariaDB, open_db) -> None:
    mariadb_server.sql("CREATE USER IF NOT EXISTS writer IDENTIFIED BY 'p@ss%w:rd'; GRANT ALL ON *.* TO writer")
    mariadb_server.sql("REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM writer")  # who may write even then
    db = open_db(mariadb.url.replace("root@", "writer:p%40ss%25w%3Ard@"))
    mariadb_server.sql("SET GLOBAL read_only = 1")
    try:
        with pytest.raises(StoreDown, match="1290") as raised:
            db.write([accepted()])
        assert not isinstance(raised.value, SchemaMismatch)
    finally:
        mariadb_server.sql("SET GLOBAL read_only = 0")
    assert db.write([accepted()]).changed == 1


def test_a_missing_privilege_is_no_orders_fault(mariadb: Tables, mariadb_server: MariaDB, open_db) -> None:
    mariadb.sql("CREATE TABLE shop (n int)")
    open_db(mariadb.url)
    mariadb_server.sql("CREATE USER IF NOT EXISTS poor IDENTIFIED BY 'x'")
    for table in ("seckill_orders", "seckill_items", "seckill_parked"):
        mariadb.sql(f"GRANT SELECT, INSERT, UPDATE ON {table} TO poor")
    db = connect_orders_db(
        mariadb.url.replace("root@", "poor:x@"),
        WriterSettings(on_accepted=("INSERT INTO shop VALUES (1)",)),
        Timeouts(),
    )
    with closing(db), pytest.raises(SchemaMismatch, match=r"writer\.on_accepted\.0: 1142"):
        db.write([accepted()])


# -- what many threads share -------------------------------------------------------------------------


def test_more_callers_than_connections_take_turns(tables: Tables, open_db) -> None:
    db = open_db(tables.url, connections=2)
    events = [accepted(seq=seq) for seq in range(1, 21)]
    db.write(events)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda event: db.order(event.order.id), events)) == orders_of(events)
    if tables.url.startswith("mysql"):
        ((opened,),) = tables.sql("SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()")
        assert opened <= 3  # two, and the one that asks


def test_a_caller_who_gets_no_connection_in_time_is_told_that_it_is_busy(mariadb: Tables, open_db) -> None:
    db = open_db(mariadb.url, connections=1, timeouts=Timeouts.model_validate({"database": "1500ms"}))
    db.write([accepted()])
    with ThreadPoolExecutor(1) as thread, a_lock_on(mariadb, "UPDATE seckill_items SET total = total + 1"):
        writing = thread.submit(attempt, db, [accepted(seq=2)])
        eventually(lambda: waits_for_a_lock(mariadb), what="the only connection is in use")
        with pytest.raises(TooBusy):
            db.order(ONE_ID)
        assert writing.result(20) is None


def test_a_stream_that_is_left_early_gives_its_connection_back(tables: Tables, open_db) -> None:
    db = open_db(tables.url, connections=1)
    db.write([accepted(seq=1), accepted(seq=2)])
    assert next(iter(db.orders(SKU))).seq == 1
    assert db.write([expired(accepted(seq=3))]).changed == 1
