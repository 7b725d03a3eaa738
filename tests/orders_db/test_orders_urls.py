"""URLs and statements that can't be right are refused before anything is connected, and no text holds a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.adapters.orders_db.mysql import refuse_old
from seckill_sidecar.adapters.orders_db.mysql_url import parse_address
from seckill_sidecar.errors import ConfigurationError, SchemaMismatch, StoreDown
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

QUICK = Timeouts.model_validate({"database": "500ms", "connect": "500ms"})


def connect(url: str, **statements: tuple[str, ...]):
    return connect_orders_db(url, WriterSettings(**statements), QUICK)


def test_an_address_is_read_whole() -> None:
    address = parse_address(
        "mysql://sh%40p:p%2Fw%25%23%E4%B9%B0@db.example:3307/my%2Ddb?unix_socket=/run/x%20y&ssl=off"
    )
    assert (address.host, address.port, address.user, address.password) == ("db.example", 3307, "sh@p", "p/w%#买")
    assert (address.database, address.unix_socket, address.ssl) == ("my-db", "/run/x y", "off")
    assert "p/w" not in f"{address} {address!r}"


def test_what_an_address_leaves_out_has_a_default() -> None:
    address = parse_address("mariadb:///shop")
    assert (address.host, address.port, address.user, address.password) == ("localhost", 3306, "root", "")
    assert address.tls() is None
    assert parse_address("mysql://[::1]/shop").host == "::1"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:hunter2@host",
        "mysql://root:hunter2@host/",
        "mysql://root:hunter2@host/a/b",
        "mysql://root:hunter#2@host/shop",
        "mysql://root:hunter2@host:port/shop",
        "mysql://root:hunter2@host:99999/shop",
        "mysql://root:hunter2℀@host/shop",
        "mysql://root:hunter2@host/shop?sssl=off",
        "mysql://root:hunter2@host/shop?ssl=hunter2",
        "mysql://root:hunter2@host/shop?ssl_ca=/nowhere/ca.pem",
        "mysql://root:hunter2@[host/shop",
        "postgres://root:hunter2@host/shop",
        "hunter2",
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///shop.db?mode=ro",
        "sqlite://shop.db",
    ],
)
def test_a_wrong_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"stores\.database") as raised:
        connect(url)
    error: BaseException | None = raised.value
    while error is not None:
        assert "hunter" not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("url", ["sqlite:///x.db", "mysql:///x"])
@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("INSERT INTO t VALUES (:byer)", "unknown parameters :byer"),
        ("INSERT INTO t VALUES (1); DELETE FROM t", "2 statements"),
        ("INSERT INTO t VALUES (')", "never closed"),
        ("-- nothing", "0 statements"),
    ],
)
def test_a_wrong_statement_is_refused_by_its_place(url: str, statement: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        connect(url, on_accepted=("INSERT INTO t VALUES (:buyer)", statement), on_expired=(statement,))
    first, second = raised.value.problems
    assert (first.where, second.where) == ("writer.on_accepted.1", "writer.on_expired.0")
    assert what in first.what


# -- what is no database -----------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def babbling_port() -> Iterator[int]:
    """Something that greets as no database does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def babble() -> None:
            for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x03\0\0\0\x0ax\0", b""):
                peer, _ = listening.accept()
                with peer:
                    peer.sendall(greeting)

        thread = threading.Thread(target=babble)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_a_server_that_is_not_there_is_down(closed_port: int) -> None:
    with pytest.raises(StoreDown, match=f"root@127.0.0.1:{closed_port}/shop") as raised:
        connect(f"mysql://root:hunter2@127.0.0.1:{closed_port}/shop").order("sku~" + "0" * 26)
    assert "hunter2" not in str(raised.value)


def test_what_is_no_database_server_is_down(babbling_port: int) -> None:
    for _ in range(3):
        with pytest.raises(StoreDown):
            connect(f"mysql://root:hunter2@127.0.0.1:{babbling_port}/shop").order("sku~" + "0" * 26)


def test_a_wrong_password_is_said_but_not_shown(mariadb_url: str) -> None:
    url = mariadb_url.replace("root@", "root:hunter2%E4%B9%B0@")
    with pytest.raises(StoreDown, match="Access denied") as raised:
        connect(url).migrate()
    assert "hunter2" not in str(raised.value)


def test_tls_that_the_server_does_not_offer_is_not_done_without(mariadb_url: str) -> None:
    with pytest.raises(StoreDown, match="SSL"):
        connect(mariadb_url + "?ssl=required").migrate()


def test_a_file_that_is_no_database_is_down(tmp_path) -> None:
    (tmp_path / "x.db").write_bytes(b"hello" * 1000)
    with pytest.raises(StoreDown, match="not a database"):
        connect(f"sqlite:///{tmp_path}/x.db").migrate()
    with pytest.raises(StoreDown, match="missing"):
        connect(f"sqlite:///{tmp_path}/missing/x.db").migrate()


def test_a_server_that_does_not_enforce_checks_is_refused() -> None:
    for version in ("5.7.44-log", "8.0.15", "5.5.5-10.5.27-MariaDB-1", "10.3.39-MariaDB", "what"):
        with pytest.raises(SchemaMismatch, match="upgrade"):
            refuse_old(version)
    assert refuse_old("10.6.0-MariaDB")
    assert refuse_old("5.5.5-10.11.19-MariaDB-0+deb12u1")
    assert not refuse_old("8.0.16")
    assert not refuse_old("9.1.0")
