"""Places in a folder that all processes of a host share for their figures, one each.

A process takes the first place that nobody holds and keeps it by a lock, which the kernel lets go when the process
dies, however it dies. So there are as many files as processes were ever there at once, and counters go on where the
last holder of a place left them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from seckill_sidecar.errors import UsageError, cannot_use

_MOST = 256
_LOCK = "{}.lock"


class Slots:
    """The places of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: int | None = None
        """The descriptor of the lock; closing it would let the place go."""

    def take(self, role: str) -> str:
        """Take a place and return its name, ``<role>-<number>``.

        Raises ``CannotCreate`` or ``NotPermitted`` if the folder can't be used, ``UsageError`` if all are taken.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for number in range(_MOST):
                name = f"{role}-{number}"
                if (held := self._lock(name)) is not None:
                    self._held = held
                    self._forget_moments(name)
                    return name
        except OSError as error:
            raise cannot_use(f"metrics.folder {error.filename or self.folder}", error) from error
        raise UsageError(f"metrics.folder {self.folder}: more than {_MOST} processes share it")

    def sweep(self) -> None:
        """Remove what processes that are gone said of their moment; their counters stay."""
        for lock in self.folder.glob(_LOCK.format("*")):
            name = lock.name.removesuffix(".lock")
            free = self._lock(name)
            if free is not None:
                self._forget_moments(name)
                os.close(free)

    def _lock(self, name: str) -> int | None:
        descriptor = os.open(self.folder / _LOCK.format(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _forget_moments(self, name: str) -> None:
        for figures in self.folder.glob(f"gauge_live*_{name}.db"):
            figures.unlink(missing_ok=True)
