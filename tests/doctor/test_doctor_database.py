"""Each way in which a MariaDB, or a SQLite file, can be unfit to be the last arbiter, on a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from doctor_words import Practice
from stack import MariaDB

SHOP = "CREATE TABLE shop_orders (ref varchar(96), customer varchar(255))"
TELL_SHOP = {"on_accepted": ["INSERT INTO shop_orders (ref, customer) VALUES (:order_id, :buyer)"]}


@pytest.fixture
def url(mariadb_url: str, practice: Practice) -> str:
    """A database with our tables."""
    practice.migrate(stores={"database": mariadb_url})
    return mariadb_url


@pytest.fixture
def name(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def as_it_was(mariadb_server: MariaDB) -> Iterator[None]:
    """What a test sets is taken back."""
    kept = ("innodb_flush_log_at_trx_commit", "sql_mode", "read_only", "init_connect")
    before = {setting: mariadb_server.sql(f"SELECT @@GLOBAL.{setting}").strip() for setting in kept}
    yield
    for setting, value in before.items():
        mariadb_server.sql(f"SET GLOBAL {setting} = {value if value.isdigit() else repr(value)}")


def test_a_server_as_it_comes_is_well(practice: Practice, url: str, name: str, mariadb_server: MariaDB) -> None:
    mariadb_server.sql(f"USE {name}; {SHOP}")
    found = practice.examine(stores={"database": url}, writer=TELL_SHOP)
    found.expect_nothing_to_mend("database", "clocks")
    found.expect("ok", "database", "write")
    tables = ("seckill_orders", "seckill_items", "seckill_parked", "shop_orders")
    assert [mariadb_server.sql(f"SELECT COUNT(*) FROM {name}.{table}").strip() for table in tables] == ["0"] * 4


@pytest.mark.parametrize(
    ("setting", "level", "check", "words"),
    [
        ("innodb_flush_log_at_trx_commit = 2", "fail", "durability", "SET GLOBAL innodb_flush_log_at_trx_commit = 1"),
        ("sql_mode = ''", "warn", "strict-mode", "not strict"),
        ("read_only = 1", "fail", "read-only", "name the primary"),
    ],
)
@pytest.mark.usefixtures("as_it_was")
def test_a_wrong_setting_is_found(
    practice: Practice, url: str, mariadb_server: MariaDB, setting: str, level: str, check: str, words: str
) -> None:
    mariadb_server.sql(f"SET GLOBAL {setting}")
    practice.examine(stores={"database": url}).expect(level, "database", check, words)


def test_a_binary_log_that_lags_behind_is_found(practice: Practice) -> None:
    with MariaDB(log_bin="binary", sync_binlog="0") as server:
        practice.migrate(stores={"database": server.create_database("shop")})
        found = practice.examine(stores={"database": server.url + "shop"})
    found.expect("fail", "database", "binlog", "SET GLOBAL sync_binlog = 1")


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        ("ALTER TABLE seckill_items DROP CONSTRAINT seckill_items_bound", "bounds", "seckill_items_bound is not there"),
        ("ALTER TABLE seckill_orders DROP KEY seckill_orders_seq", "bounds", "seckill_orders_seq is not there"),
        ("ALTER TABLE seckill_parked DROP KEY seckill_parked_once", "bounds", "seckill_parked_once is not there"),
        ("ALTER TABLE seckill_orders ENGINE = Aria", "engine", "seckill_orders (Aria)"),
        ("ALTER TABLE seckill_orders DROP COLUMN reason", "write", "reason"),
        ("ALTER TABLE seckill_items ADD COLUMN colour text NOT NULL", "write", "colour"),
        ("DROP TABLE seckill_migrations", "schema", "seckill-sidecar migrate"),
        ("DELETE FROM seckill_migrations", "schema", "0001_orders.sql is not applied"),
        ("UPDATE seckill_migrations SET checksum = REPEAT('0', 64)", "schema", "with other content"),
        ("INSERT INTO seckill_migrations VALUES ('9999_later.sql', '', 0)", "schema", "a later version"),
    ],
)
def test_a_changed_schema_is_found(
    practice: Practice, url: str, name: str, mariadb_server: MariaDB, change: str, check: str, words: str
) -> None:
    mariadb_server.sql(f"USE {name}; {change}")
    practice.examine(stores={"database": url}).expect("fail", "database", check, words)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("INSERT INTO shop_order (ref) VALUES (:order_id)", "shop_order' doesn't exist"),
        ("INSERT INTO shop_orders (reference) VALUES (:order_id)", "reference"),
        ("INSERT INTO shop_orders (ref) VALUE (:order_id", "syntax"),
    ],
)
def test_an_integrators_statement_that_can_not_run_is_found(
    practice: Practice, url: str, name: str, mariadb_server: MariaDB, statement: str, words: str
) -> None:
    mariadb_server.sql(f"USE {name}; {SHOP}")
    found = practice.examine(stores={"database": url}, writer=TELL_SHOP | {"on_paid": [statement]})
    found.expect("fail", "database", "statements", "writer.on_paid.0 is refused")
    found.expect("fail", "database", "statements", words)


def test_a_missing_privilege_is_found(practice: Practice, url: str, name: str, mariadb_server: MariaDB) -> None:
    mariadb_server.sql(f"CREATE USER clerk IDENTIFIED BY 'secret'; GRANT SELECT, INSERT ON {name}.* TO clerk")
    try:
        found = practice.examine(stores={"database": url.replace("root@", "clerk:secret@")})
    finally:
        mariadb_server.sql("DROP USER clerk")
    found.expect("fail", "database", "write", "UPDATE command denied")


@pytest.mark.usefixtures("as_it_was")
def test_a_clock_that_is_ahead_is_found(practice: Practice, url: str, name: str, mariadb_server: MariaDB) -> None:
    mariadb_server.sql("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + 20'")
    mariadb_server.sql(f"CREATE USER clerk IDENTIFIED BY 'secret'; GRANT ALL ON {name}.* TO clerk")
    try:
        found = practice.examine(stores={"database": url.replace("root@", "clerk:secret@")})
    finally:
        mariadb_server.sql("DROP USER clerk")
    found.expect("warn", "clocks", "database", "s ahead of this host")


def test_a_server_that_is_not_there_is_named(practice: Practice) -> None:
    found = practice.examine(stores={"database": "mysql://root:hidden@127.0.0.1:1/shop"})
    found.expect("fail", "database", "reachable", "mysql://root@127.0.0.1:1/shop")
    assert "hidden" not in str(found.findings)


# -- SQLite


def test_a_migrated_file_is_well(practice: Practice) -> None:
    practice.migrate()
    practice.examine().expect_nothing_to_mend("database", "clocks", "host")


def test_a_file_that_is_not_there_is_not_made(practice: Practice) -> None:
    practice.examine().expect("fail", "database", "reachable", "there is no file")
    assert not (practice.folder / "orders.db").exists()


def test_a_file_of_something_else_is_found(practice: Practice) -> None:
    (practice.folder / "orders.db").write_text("not a database at all, but a text of some length" * 100)
    practice.examine().expect("fail", "database", "reachable", "not a database")


def test_a_file_without_our_tables_or_bounds_is_found(practice: Practice) -> None:
    with sqlite3.connect(practice.folder / "orders.db") as db:
        db.execute("CREATE TABLE other (id)")
    db.close()
    practice.examine().expect("fail", "database", "schema", "no tables of ours")
    practice.migrate()
    with sqlite3.connect(practice.folder / "orders.db") as db:
        for table in ("seckill_parked", "seckill_parked_without"):
            db.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM seckill_parked")
        db.execute("DROP TABLE seckill_parked")
        db.execute("ALTER TABLE seckill_parked_without RENAME TO seckill_parked")
    db.close()
    practice.examine().expect("fail", "database", "bounds", "seckill_parked_once")


def test_a_statement_that_sqlite_refuses_is_found(practice: Practice) -> None:
    practice.migrate()
    found = practice.examine(writer=TELL_SHOP)
    found.expect("fail", "database", "statements", "no such table: shop_orders")
