"""The disk below Redis is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from stack import StackError, eventually

from faults.kinds.fault import Fault

_ROOM_KIB = 24
"""For a dozen orders."""
_FULL_WITHIN_S = 10.0
_SAYS = b"Can't recover from AOF write error"


class DiskFull(Fault):
    """The append-only file fills a small tmpfs: with ``appendfsync always`` Redis ends instead of answering."""

    name = "redis-disk-full"
    lasts = (2.0, 3.0)

    @classmethod
    def impossible(cls) -> str:
        with tempfile.TemporaryDirectory() as folder:
            try:
                _mount(Path(folder), 64)
            except subprocess.CalledProcessError as error:
                return f"mounting a tmpfs needs root ({error.stderr.strip()})"
            _unmount(Path(folder))
        return ""

    def inject(self) -> None:
        redis = self.stage.redis
        redis.kill()
        self.said = self._said()
        kept, disk = redis.folder / "appendonlydir", redis.folder / "disk"
        disk.mkdir(exist_ok=True)
        size = sum(path.stat().st_size for path in kept.iterdir())
        _mount(disk, size // 1024 + _ROOM_KIB)
        # Unmounted at once, and alive for as long as it is open: so it can't be left behind.
        self.disk = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
        shutil.copytree(kept, disk / kept.name)
        redis.options["dir"] = str(disk)
        with suppress(StackError):  # under load it may be full before Redis has said that it is ready
            redis.start()
        _unmount(disk)

    def heal(self) -> None:
        # A busy machine sells slowly, and the disk is full only once a dozen orders are in.
        with suppress(TimeoutError):
            eventually(lambda: self.happened() > 0, _FULL_WITHIN_S)
        redis = self.stage.redis
        redis.kill()
        del redis.options["dir"]
        kept = redis.folder / "appendonlydir"
        shutil.rmtree(kept)
        shutil.copytree(f"/proc/self/fd/{self.disk}/{kept.name}", kept)
        os.close(self.disk)
        redis.start()

    def happened(self) -> int:
        return self._said() - self.said

    def _said(self) -> int:
        return self.stage.redis.log.read_bytes().count(_SAYS)


def _mount(folder: Path, kib: int) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True, text=True)
