"""What systemd is told and what it hands over: readiness, the watchdog, sockets that it has opened.

By its protocols alone (sd_notify(3), sd_listen_fds(3)). Without systemd all of this is silence.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

_FIRST_PASSED = 3
ADDRESS = "NOTIFY_SOCKET"
"""The variable of the environment that says where systemd listens."""
READY = "READY=1"
ALIVE = "WATCHDOG=1"

Tell = Callable[[str], None]


def teller(address: str) -> Tell:
    """What passes a message on to systemd, which listens where ``ADDRESS`` says; to nobody without an address."""
    return lambda message: _send(address, message) if address else None


def _send(address: str, message: str) -> None:
    """It is no reason to stop if nobody listens, nor to wait for who does not read."""
    name = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(1.0)
        to.connect(name)
        to.sendall(message.encode())


class Pulse:
    """Tells systemd's watchdog that the process lives, once each of its loops has turned since it was last told."""

    def __init__(self, loops: Collection[str], tell: Tell) -> None:
        self._loops = frozenset(loops)
        self._tell = tell
        self._missing = set(self._loops)
        self._lock = threading.Lock()

    def beat(self, loop: str) -> None:
        """This loop has turned."""
        with self._lock:
            self._missing.discard(loop)
            if self._missing:
                return
            self._missing = set(self._loops)
        self._tell(ALIVE)


Door = int | str
"""The port of a listening socket, or the path of a UNIX one."""


def passed_doors(environ: Mapping[str, str], pid: int) -> tuple[Door, ...]:
    """Where the sockets listen that systemd has opened for this process, in the order of their descriptors."""
    try:
        meant, count = int(environ.get("LISTEN_PID", "0")), int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        return ()
    return tuple(_door_of(_FIRST_PASSED + number) for number in range(count)) if meant == pid else ()


def _door_of(descriptor: int) -> Door:
    with socket.socket(fileno=os.dup(descriptor)) as opened:
        name = opened.getsockname()
    return int(name[1]) if isinstance(name, tuple) else os.fsdecode(name)
