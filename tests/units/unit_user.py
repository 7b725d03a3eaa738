"""Who a unit's processes are: the ``User=`` of the unit, or nobody on a machine that hasn't installed it.

Only root can become somebody else; who isn't root runs them as themselves.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Mapping
from pathlib import Path

IS_ROOT = os.geteuid() == 0


class ServiceUser:
    """The user of one unit."""

    def __init__(self, text: str) -> None:
        """``text`` is the unit's."""
        (self.name,) = re.findall(r"(?m)^User=(\S+)$", text)
        self._account = _account(self.name) if IS_ROOT else pwd.getpwuid(os.geteuid())

    @property
    def prefix(self) -> list[str]:
        """Words before a command, with which it runs as this user and with no right beyond."""
        if not IS_ROOT:
            return []
        capabilities = "-all" if _reads(self._account, Path(sys.executable).resolve()) else "-all,+dac_read_search"
        # A private interpreter lies where only root may look: it may then read what root may, but write and do nothing.
        return [
            "setpriv",
            f"--reuid={self._account.pw_uid}",
            f"--regid={self._account.pw_gid}",
            "--clear-groups",
            f"--bounding-set={capabilities}",
            f"--inh-caps={capabilities}",
            f"--ambient-caps={capabilities}",
            "--no-new-privs",
        ]

    @property
    def environment(self) -> Mapping[str, str]:
        """What systemd itself puts into the environment of a service."""
        name = self._account.pw_name
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "LANG": "C.UTF-8",
            "HOME": self._account.pw_dir,
            "USER": name,
            "LOGNAME": name,
            "SHELL": self._account.pw_shell,
        }

    def owns(self, *folders: Path) -> None:
        """Make what stands for the folders that systemd makes for it, and give it all that lies there."""
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            for path in (folder, *folder.rglob("*")) if IS_ROOT else ():
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)


def _account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return pwd.getpwnam("nobody")


def _reads(account: pwd.struct_passwd, file: Path) -> bool:
    """Whether this user finds and reads a file by the bits that everybody has."""
    return all(folder.stat().st_mode & 0o001 for folder in file.parents) and bool(file.stat().st_mode & 0o004)
