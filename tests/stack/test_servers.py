"""The rig itself: private servers start, stand still, come back with their data, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from stack import MariaDB, Nginx, RabbitMQ, Redis, StackError, Valkey, eventually, free_port, guard
from stack.base import NotInstalled, program
from stack.ports import is_free

pytestmark = pytest.mark.gevent_too

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


def is_gone(pid: int) -> bool:
    status = guard.status(pid)
    return status is None or status[0] == "Z"


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def answers_within(server: Redis, seconds: float) -> bool:
    with socket.create_connection(server.address, timeout=seconds) as connection:
        connection.sendall(b"PING\r\n")
        try:
            return connection.recv(5) == b"+PONG"
        except TimeoutError:
            return False


@pytest.mark.parametrize("kind", [Redis, Valkey])
def test_a_killed_server_comes_back_on_its_port_with_its_data(kind: type[Redis]) -> None:
    with kind(**DURABLE) as server:
        url, first = server.url, server.pid
        server.ask("SET stock 100")
        server.kill()
        assert is_gone(first)
        assert not server.running
        server.start()
        assert server.url == url
        assert server.pid != first
        assert server.ask("STRLEN stock") == ":3"


class Patient(Redis):
    """A Redis that tries a second port."""

    first_tries = 2


def test_a_port_that_was_taken_meanwhile_is_given_up_for_another_but_only_at_first() -> None:
    server = Patient()
    with socket.socket() as other:
        other.bind(server.address)
        other.listen()
        taken = server.port
        with server:
            assert server.port != taken
            chosen = server.port
            server.restart()
            assert server.port == chosen


def test_a_restarted_server_keeps_its_data() -> None:
    with Redis(**DURABLE) as server:
        server.ask("SET stock 100")
        server.restart()
        assert server.ask("STRLEN stock") == ":3"


def test_options_reach_the_server() -> None:
    with Redis(databases="1") as server:
        assert server.ask("SELECT 1") == "-ERR DB index is out of range"


def test_a_paused_server_accepts_but_does_not_answer_until_resumed() -> None:
    with Redis() as server:
        server.pause()
        assert not answers_within(server, 0.2)
        server.resume()
        assert answers_within(server, 5.0)


def test_a_paused_server_can_be_stopped() -> None:
    with Redis() as server:
        server.pause()
        server.stop()
        assert not server.running


@pytest.mark.parametrize("harm", [Redis.pause, Redis.kill, Redis.stop], ids=["paused", "killed", "stopped"])
def test_a_healed_server_answers_whatever_was_done_to_it(harm: Callable[[Redis], None]) -> None:
    with Redis() as server:
        harm(server)
        server.heal()
        assert answers_within(server, 5.0)


def test_a_closed_server_leaves_no_process_no_port_and_no_file() -> None:
    with Redis() as server:
        pass
    assert is_gone(server.pid)
    assert is_free(server.port)
    assert not server.folder.exists()


def test_a_server_in_a_folder_of_the_callers_keeps_that_folder(tmp_path: Path) -> None:
    with Redis(tmp_path / "redis", **DURABLE) as server:
        server.ask("SET stock 100")
    with Redis(tmp_path / "redis", **DURABLE) as server:
        assert server.ask("STRLEN stock") == ":3"


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(StackError, match="maxmemory-policy"), Redis(maxmemory_policy="whatever"):
        pass


def test_a_missing_program_is_named_with_the_way_to_install_it() -> None:
    with pytest.raises(NotInstalled, match=r"no-such-server is not installed; run contrib/stack/install\.sh"):
        program("no-such-server")


def test_free_ports_lie_outside_those_of_outgoing_connections() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < lowest for _ in range(50))


STARTER = """
import os, pathlib, sys, time
from stack import Nginx
server = Nginx(folder=pathlib.Path(sys.argv[1])).start()
children = [os.fork()] if sys.argv[2] == "forks" else []
if 0 not in children:
    print(server.pid, *children, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["alone", "forks"])
def test_a_server_dies_with_all_its_processes_when_its_starter_is_killed(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path), kind]
    contrib = Path(guard.__file__).parents[1]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(contrib)}
    ) as starter:
        assert starter.stdout is not None
        master, *children = map(int, starter.stdout.readline().split())
        family = [master, *eventually(lambda: list(guard.descendants(master)), what="nginx has a worker")]
        starter.send_signal(signal.SIGKILL)
        eventually(lambda: all(map(is_gone, family)), what="master and workers are gone")
        guard.signal_all(signal.SIGKILL, children)


def test_nginx_takes_up_a_new_configuration(nginx: Callable[..., Nginx]) -> None:
    server = nginx('location / { return 200 "old"; }')
    assert get(server.url) == "old"
    server.configure('location / { return 200 "new"; }')
    server.reload()
    assert get(server.url) == "new"


def test_nginx_says_what_is_wrong_with_a_configuration(nginx: Callable[..., Nginx]) -> None:
    with pytest.raises(StackError, match='unknown directive "lokation"'):
        nginx("lokation / { }")


def test_mariadb_keeps_what_was_written_when_killed(mariadb_server: MariaDB, mariadb_url: str) -> None:
    name = mariadb_url.rpartition("/")[2]
    mariadb_server.sql(f"CREATE TABLE {name}.orders (id INT PRIMARY KEY); INSERT INTO {name}.orders VALUES (7)")
    mariadb_server.kill()
    mariadb_server.start()
    assert mariadb_server.sql(f"SELECT id FROM {name}.orders") == "7\n"


def test_rabbitmq_takes_orders_from_rabbitmqctl(rabbit_server: RabbitMQ, rabbit_url: str) -> None:
    assert "guest" in rabbit_server.ctl("list_users")
    with pytest.raises(StackError, match="no_such_command"):
        rabbit_server.ctl("no_such_command")


def test_a_killed_rabbitmq_leaves_no_epmd_and_comes_back(rabbit_server: RabbitMQ, rabbit_url: str) -> None:
    family = rabbit_server.processes()
    assert "epmd" in {Path(f"/proc/{pid}/comm").read_text().strip() for pid in family}
    rabbit_server.kill()
    assert all(map(is_gone, family))
    rabbit_server.start()
    assert rabbit_server.url == rabbit_url
