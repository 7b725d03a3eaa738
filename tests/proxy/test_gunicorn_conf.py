"""The shipped gunicorn settings: the process is what the YAML says, and survives what a sysadmin does to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

from gunicorn.util import http_date as gunicorns_date
from proxy_client import Client, ask, request
from proxy_storefront import HEAD, Storefront
from proxy_targets import Gunicorn
from stack import eventually

from seckill_sidecar.plugs.worker import YOUNG, http_date


class OnUnixSocket(Gunicorn):
    """Two workers on a UNIX socket in the server's folder."""

    @property
    def socket(self) -> Path:
        return self.folder / "sidecar.sock"

    def prepare(self) -> None:
        (self.folder / "seckill.yaml").write_text(f"serve:\n  listen: unix:{self.socket}\n  workers: 2\n")

    def answers(self) -> bool:
        return len(self.processes()) == 3 and self.ask(request("/")).startswith(b"HTTP/1.1 200")

    def ask(self, raw: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.fspath(self.socket))
            connection.sendall(raw)
            return connection.recv(65536)


class OfItsWords(Gunicorn):
    """An application that writes to ``wsgi.errors``."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "bare_words:application"]

    def answers(self) -> bool:
        return ask(self.address, request("/")).status == 204


class OfItsHeap(Gunicorn):
    """An application that tells of its own heap."""

    def command(self) -> list[str]:
        return [*super().command()[:-1], "bare_heap:application"]

    def answers(self) -> bool:
        return ask(self.address, request("/")).status == 200


def test_it_listens_where_the_yaml_says_with_as_many_workers(storefront: Storefront) -> None:
    with OnUnixSocket(storefront.url) as server:
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o660
        assert len(server.processes()) == 3
        assert storefront.seen[-1].values("host") == ["shop.test"]


def test_a_killed_worker_is_replaced(storefront: Storefront) -> None:
    with OnUnixSocket(storefront.url) as server:
        master, *workers = server.processes()
        os.kill(workers[0], signal.SIGKILL)
        eventually(lambda: len(set(server.processes()) - {master, *workers}) == 1, what="there is a new worker")
        assert server.ask(request("/")).startswith(b"HTTP/1.1 200")


def test_hup_replaces_the_workers_and_keeps_the_socket(storefront: Storefront) -> None:
    with OnUnixSocket(storefront.url) as server:
        master, *workers = server.processes()
        os.kill(master, signal.SIGHUP)
        eventually(lambda: len(set(server.processes()) - {*workers}) == 3, what="there are new workers")
        assert server.ask(request("/")).startswith(b"HTTP/1.1 200")
        eventually(lambda: not set(server.processes()) & {*workers}, what="the old ones are gone")


def test_a_worker_looks_for_garbage_in_what_requests_leave_only(storefront: Storefront) -> None:
    with OfItsHeap(storefront.url) as server:
        heap = json.loads(ask(server.address, request("/")).body)
    assert heap["looked_at"] < heap["spared"] / 10
    assert heap["young"] == YOUNG


def test_what_an_application_writes_to_wsgi_errors_is_in_the_log(storefront: Storefront) -> None:
    with OfItsWords(storefront.url) as server:
        assert ask(server.address, request("/one-word?another=word")).status == 204
        assert {"/one-word", "another=word"} <= set(server.log.read_text().splitlines())


def test_the_date_of_an_answer_is_that_of_its_second() -> None:
    moments = [0.0, 0.9, 1.0, 1_764_230_400.5, 0.0]
    assert [http_date(moment) for moment in moments] == [gunicorns_date(moment) for moment in moments]
    assert http_date(59.9) == "Thu, 01 Jan 1970 00:00:59 GMT"
    assert http_date() in {gunicorns_date(time.time() - 1), gunicorns_date(time.time())}


def test_term_lets_a_request_end(storefront: Storefront) -> None:
    asked, stopping = threading.Event(), threading.Event()

    def say(connection: socket.socket) -> bool:
        asked.set()
        assert stopping.wait(10)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + HEAD + b"Content-Length: 4\r\n\r\nlast")
        return True

    storefront.answer("last", say)
    with Gunicorn(storefront.url) as server:
        with Client(server.address) as client:
            client.send(request("/", "X-Answer: last"))
            assert asked.wait(10)
            os.kill(server.pid, signal.SIGTERM)
            eventually(lambda: not listening(server), what="it no longer accepts")
            stopping.set()
            assert client.receive().body == b"last"
        eventually(lambda: not server.running, what="it has ended")


def listening(server: Gunicorn) -> bool:
    try:
        socket.create_connection(server.address, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_client_cannot_set_what_the_gate_decides_on(storefront: Storefront) -> None:
    with Gunicorn(storefront.url) as server:
        forged = ["SCRIPT_NAME: /a", "PATH_INFO: /b", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"]
        assert ask(server.address, request("/a/b", *forged)).status == 200
    seen = storefront.seen[-1]
    assert seen.target == "/a/b"
    assert [name.lower() for name, _ in seen.headers] == ["host", "x-forwarded-proto", "x-forwarded-ssl"]


def test_a_bad_configuration_is_told_and_ends_the_start(tmp_path: Path) -> None:
    conf = tmp_path / "seckill.yaml"
    conf.write_text("serve:\n  workers: many\n")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:seckill_sidecar.gunicorn_conf", "bare_proxy:application"]
    environment = {**os.environ, "SECKILL_CONFIG": str(conf)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert f"{conf}:2:" in ended.stderr
    assert "Traceback" not in ended.stderr
