"""What goes wrong at the start is told in one line, with the remedy, and by an exit code of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_words import (
    COMMAND,
    SECRET,
    Daemon,
    Done,
    Home,
    buy,
    expect_one_line,
    listening,
    sell_one,
    site_of,
)
from stack import Redis, eventually, free_port
from stack.ports import HOST

NOBODY = 65534
_AS_NOBODY = f"""
import os, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from seckill_sidecar.cli import main
with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
    main(["check", *sys.argv[-2:]])  # Python itself may lie where nobody else can load the rest of it
if os.geteuid() == 0:
    os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A folder that every user may search, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="seckill-cli-"))
    folder.chmod(0o755)
    monkeypatch.setenv("CLI_SECRET", SECRET)
    yield Home(folder)
    shutil.rmtree(folder)


def as_another(home: Home, *words: str) -> Done:
    """Run a command as a user to whom none of the folder's files belongs."""
    command = [sys.executable, "-c", _AS_NOBODY, *words, "-c", str(home.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    return Done(done.returncode, done.stdout, done.stderr)


def outside(home: Home, *words: str, **outputs: Any) -> Done:
    """Run a command as a process of its own."""
    captured: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **outputs}
    command = [*COMMAND, *words, "-c", str(home.config)]
    done = subprocess.run(command, text=True, timeout=60, check=False, **captured)
    return Done(done.returncode, done.stdout or "", done.stderr or "")


# -- the wrong user -----------------------------------------------------------------------------------


def test_a_configuration_that_this_user_may_not_read(open_home: Home) -> None:
    open_home.configure().config.chmod(0)
    expect_one_line(as_another(open_home, "relay"), 66, "seckill.yaml:", "Permission denied", "may read")


def test_a_credential_that_this_user_may_not_read(open_home: Home) -> None:
    key = open_home.folder / "key"
    key.write_text(SECRET)
    key.chmod(0)
    open_home.configure(keys=[{"id": "k", "secret": f"file:{key}"}])
    expect_one_line(as_another(open_home, "relay"), 66, "keys[0].secret", "Permission denied", "read it")


@pytest.mark.parametrize("section", ["metrics", "shield"])
def test_a_folder_that_belongs_to_another_user(open_home: Home, redis_url: str, section: str) -> None:
    folder = open_home.folder / section
    folder.mkdir(mode=0o555)
    stores = {"storefront": "http://127.0.0.1:1"}
    changes = {section: {"folder": str(folder), **({"enabled": True} if section == "shield" else {})}}
    open_home.configure(redis=redis_url, stores=stores, serve={"listen": f"{HOST}:{free_port()}"}, **changes)
    done = as_another(open_home, "serve")
    expect_one_line(done, 77, f"{section}.folder {folder}", "Permission denied", "this runs as", "User=")


def test_a_socket_in_a_folder_of_another_user(open_home: Home, redis_url: str) -> None:
    (open_home.folder / "run").mkdir(mode=0o555)
    listen = f"unix:{open_home.folder}/run/sidecar.sock"
    open_home.configure(redis=redis_url, stores={"storefront": "http://127.0.0.1:1"}, serve={"listen": listen})
    expect_one_line(as_another(open_home, "serve"), 77, listen, "this runs as")


# -- what is not there --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["migrate", "item list", "parked list", "order show kettle~01ARZ3NDEKTSV4RRFFQ69G5FAV"]
)
def test_a_store_that_is_down(home: Home, words: str) -> None:
    stores = {"database": f"mysql://root@{HOST}:1/shop", "broker": f"amqp://{HOST}:1/%2F"}
    done = home.configure(stores=stores).run(*words.split())
    expect_one_line(done, 69, ":1", "refused", "see whether it runs", "doctor")


@pytest.mark.parametrize("role", ["relay", "writer"])
def test_figures_that_cannot_be_kept_are_told_by_every_process(home: Home, role: str) -> None:
    (home.folder / "file").touch()
    home.configure(stores={"broker": f"amqp://{HOST}:1/%2F"}, metrics={"folder": f"{home.folder}/file"})
    expect_one_line(outside(home, role), 73, "metrics.folder", "File exists", "name another")


def test_problems_of_several_kinds_are_those_of_the_configuration(home: Home) -> None:
    home.configure(keys=[{"id": "k", "secret": "file:/missing"}], limits={"in_flight": 0})
    assert home.run("relay").code == 78


# -- a full disk --------------------------------------------------------------------------------------

FULL = Path("/dev/full")


@pytest.fixture
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error as a service has it: what could not be written is tried again at the end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.mark.usefixtures("_buffered")
def test_output_that_a_full_disk_does_not_take(home: Home) -> None:
    home.configure()
    with FULL.open("wb") as full:
        expect_one_line(outside(home, "config", "schema", stdout=full), 74, "No space left", "make room")


def test_output_that_nobody_wants() -> None:
    command = ["/bin/sh", "-c", '"$@" >&-', "sh", *COMMAND, "config", "schema"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("_buffered")
def test_the_exit_code_is_the_same_if_nobody_can_be_told_why(home: Home) -> None:
    home.configure(limits={"in_flight": 0})
    with FULL.open("wb") as full:
        assert outside(home, "relay", stdout=full, stderr=full).code == 78


@pytest.mark.usefixtures("_buffered")
def test_a_relay_whose_log_has_no_room_delivers_all_the_same(home: Home, late_redis: Redis) -> None:
    home.configure(redis=late_redis.url, relay={"after": "0s", "every": "10ms"}, log={"level": "debug"})
    assert home.run("migrate").code == 0
    with Daemon(home, "relay", log=FULL) as relay:
        eventually(lambda: home.run("item", "load").code == 69, 20, "its ledger is still away")
        late_redis.start()
        site = site_of(home)
        order = sell_one(site)
        eventually(lambda: site.orders.order(order.id), 20, "the order is in the database")
        assert relay.terminate() == 0
        site.ledger.close()
        site.orders.close()


@pytest.mark.usefixtures("_buffered")
def test_a_sidecar_whose_log_has_no_room_serves_on(home: Home, redis_url: str) -> None:
    port = free_port()
    serving = {"serve": {"listen": f"{HOST}:{port}", "workers": 1}, "log": {"level": "debug"}}
    home.configure(redis=redis_url, stores={"storefront": "http://127.0.0.1:1"}, **serving)
    for words in ("migrate", "item load"):
        assert home.run(*words.split()).code == 0
    with Daemon(home, "serve", log=FULL) as sidecar:
        eventually(lambda: listening(port), 30, "it listens")
        assert [buy(home, port, f"buyer-{number}") for number in range(100)] == [201] * 5 + [409] * 95
        assert sidecar.terminate() == 0
