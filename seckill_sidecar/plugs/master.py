"""What gunicorn's master does beyond gunicorn: systemd's sockets and watchdog, and the last good settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from seckill_sidecar.adapters.systemd import ALIVE, Door, Tell
from seckill_sidecar.errors import Problem, UsageError

_UNIX = "unix:"


def doors_to_open(wanted: Sequence[str], passed: Sequence[Door]) -> list[str]:
    """Of the addresses that the settings name, those that systemd has not opened already.

    Raises ``UsageError`` if what it has opened is not what the settings mean: ``wanted[0]`` (where nginx passes
    purchases to) has to be there, and nothing that they do not name.
    """
    named = {door_of(listen): listen for listen in wanted}
    unknown = [door for door in passed if door not in named]
    if passed and (unknown or door_of(wanted[0]) not in passed):
        opened = ", ".join(str(door) for door in passed)
        raise UsageError(
            f"systemd has opened {opened}, and the configuration names {', '.join(wanted)}:"
            " make ListenStream= of seckill-sidecar.socket and serve.listen (operator.listen) one"
        )
    return [listen for door, listen in named.items() if door not in passed]


def bindings(wanted: Sequence[str], passed: Sequence[Door], backlog: int, umask: int) -> list[str]:
    """gunicorn's ``bind``. Beside passed sockets it opens none by itself, so the others are opened here for it."""
    missing = doors_to_open(wanted, passed)
    return [f"fd://{_opened(listen, backlog, umask)}" for listen in missing] if passed else missing


def door_of(listen: str) -> Door:
    """The port or path of ``address:port`` or ``unix:/path``."""
    return listen.removeprefix(_UNIX) if listen.startswith(_UNIX) else int(listen.rpartition(":")[2])


def _opened(listen: str, backlog: int, umask: int) -> int:
    """The descriptor of a new listening socket."""
    if not listen.startswith(_UNIX):
        host, _, port = listen.rpartition(":")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=backlog).detach()
    path = listen.removeprefix(_UNIX)
    with suppress(FileNotFoundError):
        os.remove(path)  # the last process's; systemd's own stay with systemd
    before = os.umask(umask)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(backlog)
    return listener.detach()


def keep_the_last_good(server: Any, reload: Callable[[], Sequence[Problem]]) -> None:
    """Let gunicorn's master reload only if ``reload`` finds no problem; else all stays as it is."""
    go_on = server.handle_hup

    def handle_hup() -> None:
        problems = reload()
        for problem in problems:
            server.log.error("not reloaded, the last good configuration stays: %s", problem)
        if not problems:
            go_on()

    server.handle_hup = handle_hup


def beat(server: Any, tell: Tell) -> None:
    """Tell systemd's watchdog with each turn of the master's loop, which looks after the workers first."""
    look_after_workers = server.murder_workers

    def murder_workers() -> None:
        look_after_workers()
        tell(ALIVE)

    server.murder_workers = murder_workers
