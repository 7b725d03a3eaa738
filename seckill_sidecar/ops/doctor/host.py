"""Whether this host has room: open files for every connection, disk for what is kept here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.plugs.listeners import files_needed
from seckill_sidecar.settings.schema import Settings

_HOST = Subject("host")
_LITTLE, _NEXT_TO_NOTHING = 64 << 20, 4 << 20
_FEW_FILES = 1000

Statvfs = Callable[[str], os.statvfs_result]


def judge_files(settings: Settings, limit: int, whose: str) -> Finding:
    """``limit`` is the soft one of ``whose`` process."""
    needed = files_needed(settings)
    says = f"{limit} for {whose}; a worker may need {needed}"
    if limit < needed:
        return _HOST.warn(
            "open-files", f"{says}: beyond it, connections are refused", f"set LimitNOFILE={needed} or more in the unit"
        )
    return _HOST.ok("open-files", says)


def judge_disk(settings: Settings, statvfs: Statvfs = os.statvfs) -> Iterator[Finding]:
    """Each folder that this host's processes write to."""
    for name, folder in _folders(settings):
        yield _room(name, folder, statvfs)


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    if settings.stores.redis == "embedded":
        yield "stores.embedded_dir", Path(settings.stores.embedded_dir)
    if settings.stores.database.startswith("sqlite:///"):
        yield "stores.database", Path(settings.stores.database.removeprefix("sqlite:///")).parent
    if settings.shield.enabled:
        yield "shield.folder", Path(settings.shield.folder)
    if settings.metrics.folder is not None:
        yield "metrics.folder", Path(settings.metrics.folder)


def _room(name: str, folder: Path, statvfs: Statvfs) -> Finding:
    there = next((parent for parent in (folder, *folder.absolute().parents) if parent.is_dir()), Path("/"))
    check = f"disk-{name.rpartition('.')[2]}"
    if not os.access(there, os.W_OK | os.X_OK):
        return _HOST.fail(
            check, f"{name}: this user may not write {there}", "run doctor as the service's user; or chown it"
        )
    try:
        found = statvfs(str(there))
    except OSError as error:
        return _HOST.fail(check, f"{name}: {error}", "mend the file system")
    free = found.f_bavail * found.f_frsize
    says = f"{name}: {free >> 20:,} MiB are free in {there}"
    if free < _NEXT_TO_NOTHING or (found.f_files and found.f_favail < 1):
        return _HOST.fail(check, f"{says}, {found.f_favail} files can be made", "free disk space")
    if free < _LITTLE or (found.f_files and found.f_favail < _FEW_FILES):
        return _HOST.warn(check, f"{says}, {found.f_favail} files can be made", "free disk space")
    return _HOST.ok(check, says)
