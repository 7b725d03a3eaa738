"""Where the sidecar listens: on sockets that systemd has opened, and on those that it opens itself."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seckill_sidecar.adapters.systemd import Door
from seckill_sidecar.errors import CannotListen, NotPermitted, UsageError, running_as
from seckill_sidecar.settings.schema import Settings

_UNIX = "unix:"
_OTHER_FILES = 64
"""What a worker has open besides connections: stores, log, libraries."""


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


def files_needed(settings: Settings) -> int:
    """Files that one worker may have open at once."""
    connections = settings.limits.connections + settings.results.places
    return connections + settings.storefront.connections + _OTHER_FILES


def allow_open_files(needed: int) -> None:
    """Raise this process's limit of open files, each of which may be a connection, as far as it may by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def try_doors(listens: Sequence[str]) -> None:
    """Raise ``CannotListen`` or ``NotPermitted`` if one can't be opened: gunicorn would try for long, and say less."""
    for listen in listens:
        try:
            _try(listen)
        except PermissionError as error:
            remedy = f"this runs as {running_as()}: choose another address, or give it the right"
            raise NotPermitted(f"{listen} can't be opened: {error.strerror}; {remedy}") from error
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, "choose another address, or mend the cause")
            raise CannotListen(f"{listen} can't be opened: {error.strerror}; {remedy}") from error


def _try(listen: str) -> None:
    if listen.startswith(_UNIX):
        _try_path(Path(listen.removeprefix(_UNIX)))
        return
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host.strip("[]"), int(port)))


def _try_path(path: Path) -> None:
    if path.exists() and not path.is_socket():
        raise FileExistsError(errno.EEXIST, "there is something else")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"the folder {path.parent} can't be written to")


_REMEDIES = {
    errno.EADDRINUSE: "another process listens there: end it (`ss -ltnp` names it), or choose another port",
    errno.EADDRNOTAVAIL: "this host has no such address: choose one of its own",
    errno.ENOENT: "make the folder (RuntimeDirectory= of the unit, or tmpfiles.d), or choose another",
    errno.EEXIST: "move it away, or choose another",
}


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
