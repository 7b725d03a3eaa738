"""The shield's markers: empty files by which nginx answers by itself, in one folder for each reason, named by SKU.

    shield/sold_out/kettle      nginx says that the kettle is sold out
           closed/              the same for the other two reasons
           not_open/
           opens_in_60/kettle   beside not_open: it opens in 60 seconds or more
           sold_out/_all        nothing that is on sale has a unit left
           keeper               locked by the process that keeps them true; its time is when they last were

nginx asks for existence only, so it has to be able to search the folders, and needs no right to any file.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import StoreDown, cannot_use
from seckill_sidecar.model import Verdict

ALL_ITEMS = "_all"
"""Stands for all items; no SKU begins like this."""
REASONS = (Verdict.SOLD_OUT, Verdict.CLOSED, Verdict.NOT_OPEN)
WAITING = "opens_in_"
WAITS = (10, 60, 600, 3600)
"""Seconds that ``opens_in_…`` knows, for nginx to name in Retry-After."""
FOLDERS = (*(reason.value for reason in REASONS), *(f"{WAITING}{seconds}" for seconds in WAITS))

Marks = frozenset[str]
"""The folders that hold an item's markers."""
UNMARKED: Marks = frozenset()


class Markers:
    """The folder of one site on one host. Every method but ``prepare`` raises ``StoreDown`` if the system refuses."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the folders. Raises ``CannotCreate`` or ``NotPermitted`` if this process can't keep markers there."""
        try:
            self._make_folders()
            for name in FOLDERS:
                _try_writing(self._folder / name)
        except OSError as error:
            raise cannot_use(f"shield.folder {error.filename or self._folder}", error) from error

    # -- who keeps them

    def take(self) -> bool:
        """Become the keeper, unless another process is; True if this one is now."""
        with _as_ours():
            self._make_folders()
            lock = os.open(self._folder / "keeper", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lock)
                if isinstance(error, BlockingIOError):
                    return False
                raise
        # The kernel lets go of the lock however its holder dies.
        self._lock = lock
        return True

    def release(self) -> None:
        """Keep them no longer."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def beat(self) -> None:
        """All that is marked was found to be true at this moment."""
        with _as_ours():
            os.utime(self._folder / "keeper", (self._clock.wall(),) * 2)

    def silence(self) -> float:
        """Seconds since the last ``beat`` of whoever is the keeper; of a clock that was set back, too."""
        with _as_ours():
            return abs(self._clock.wall() - (self._folder / "keeper").stat().st_mtime)

    # -- the markers

    def marked(self) -> dict[str, Marks]:
        """Whatever is marked, and how."""
        found: dict[str, set[str]] = {}
        with _as_ours():
            for folder in FOLDERS:
                for name in os.listdir(self._folder / folder):
                    found.setdefault(name, set()).add(folder)
        return {name: frozenset(marks) for name, marks in found.items()}

    def is_marked(self, name: str) -> bool:
        """Whether nginx answers for this item."""
        return any((self._folder / reason.value / name).exists() for reason in REASONS)

    def mark(self, name: str, wanted: Marks, present: Marks = UNMARKED) -> None:
        """Change an item's markers from what is present to what is wanted. Others may do the same meanwhile."""
        with _as_ours():
            for folder in wanted - present:
                os.close(os.open(self._folder / folder / name, os.O_CREAT | os.O_WRONLY, 0o644))
            for folder in present - wanted:
                (self._folder / folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every marker; nginx asks the gate again."""
        with suppress(FileNotFoundError):
            for name, marks in self.marked().items():
                self.mark(name, UNMARKED, marks)

    def _make_folders(self) -> None:
        for folder in (*reversed(self._folder.parents), self._folder, *(self._folder / name for name in FOLDERS)):
            if not folder.is_dir():
                _make_searchable(folder)


def _try_writing(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _make_searchable(folder: Path) -> None:
    """Whatever umask the server has: nginx is another user. Nobody ever finds it there and unsearchable."""
    new = folder.with_name(f".{folder.name}.{os.getpid()}")
    new.mkdir(exist_ok=True)
    new.chmod(0o755)
    try:
        new.rename(folder)
    except OSError:
        new.rmdir()  # another process was faster, and has put something into it
        if not folder.is_dir():
            raise


@contextmanager
def _as_ours() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreDown("shield", str(error)) from error
