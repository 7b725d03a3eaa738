"""A private MariaDB."""

from __future__ import annotations

import getpass
import socket
import subprocess
from pathlib import Path

from stack.base import Server, StackError, program
from stack.ports import HOST

_GREETING = 10
"""The first byte that a server which accepts connections says, after the four of a packet's header."""


class MariaDB(Server):
    """mariadbd, whose ``root`` needs no password. Options are its own: ``MariaDB(max_connections="500")``."""

    name = "mariadb"
    starts_within = 60.0
    first_tries = 3

    def __init__(self, folder: Path | None = None, **options: str) -> None:
        self.options = options
        super().__init__(folder)
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        return f"mysql://root@{HOST}:{self.port}/"

    def prepare(self) -> None:
        """Make the system tables, once."""
        if self.data.exists():
            return
        self._run(
            program("mariadb-install-db"),
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",  # two that are installed at once delete each other's temporary tables in /tmp
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def command(self) -> list[str]:
        options = {
            "user": getpass.getuser(),
            "datadir": str(self.data),
            "tmpdir": str(self.folder),
            "socket": str(self.folder / "socket"),
            "pid_file": str(self.folder / "pid"),
            "port": str(self.port),
            "bind_address": HOST,
            "innodb_buffer_pool_size": "64M",
            **self.options,
        }
        named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return [program("mariadbd"), "--no-defaults", "--skip-name-resolve", *named]

    def answers(self) -> bool:
        with socket.create_connection(self.address, timeout=5.0) as connection:
            return connection.recv(5, socket.MSG_WAITALL)[4:] == bytes([_GREETING])

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.url + name

    def drop_database(self, name: str) -> None:
        """Drop a database, if it exists."""
        self.sql(f"DROP DATABASE IF EXISTS `{name}`")

    def sql(self, statement: str) -> str:
        """Run a statement by the command line client; return what it prints, without column names."""
        at = [f"--host={HOST}", f"--port={self.port}", "--user=root", "--protocol=tcp"]
        return self._run(program("mariadb"), "--no-defaults", *at, "--skip-column-names", f"--execute={statement}")

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)
        if done.returncode != 0:
            raise StackError(f"{command[0]} exited with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout
