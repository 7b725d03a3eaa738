"""A private RabbitMQ node."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from stack.base import Server, StackError, program
from stack.ports import HOST, free_port

_PROGRAMS = "/usr/lib/rabbitmq/bin"
_PROTOCOL = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = 1


class RabbitMQ(Server):
    """rabbitmq-server with its own epmd, cookie and database; ``guest`` may log in. Takes many seconds to start."""

    name = "rabbitmq"
    starts_within = 120.0
    stops_within = 60.0
    first_tries = 5

    def __init__(self, folder: Path | None = None, conf: str = "") -> None:
        """``conf`` is text for rabbitmq.conf, for example ``vm_memory_high_watermark.relative = 0.4``."""
        super().__init__(folder)
        self.conf = conf

    def choose_ports(self) -> None:
        super().choose_ports()
        self.epmd_port = free_port()
        self.distribution_port = free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}/%2F"

    def prepare(self) -> None:
        (self.folder / "rabbitmq.conf").write_text(self.conf)
        (self.folder / "plugins").write_text("[].\n")

    def command(self) -> list[str]:
        # Not the one in PATH: Debian's wrapper insists on the user rabbitmq.
        return [program(f"{_PROGRAMS}/rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        own = {
            "NODENAME": f"stack-{self.port}@localhost",
            "NODE_IP_ADDRESS": HOST,
            "NODE_PORT": str(self.port),
            "DIST_PORT": str(self.distribution_port),
            "MNESIA_BASE": str(self.folder / "mnesia"),
            "LOG_BASE": str(self.folder / "log"),
            "PID_FILE": str(self.folder / "pid"),
            "ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "CONF_ENV_FILE": "/dev/null",
        }
        return {
            **inherited,
            **{f"RABBITMQ_{name}": value for name, value in own.items()},
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "HOME": str(self.folder),  # where Erlang keeps its cookie
        }

    def answers(self) -> bool:
        with socket.create_connection(self.address, timeout=5.0) as connection:
            connection.sendall(_PROTOCOL)
            return connection.recv(1) == bytes([_METHOD_FRAME])

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node (a second or two each); return what it prints."""
        command = [program(f"{_PROGRAMS}/rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=60.0, check=False
        )
        if done.returncode != 0:
            raise StackError(f"rabbitmqctl {' '.join(arguments)} exited with {done.returncode}\n{done.stderr}")
        return done.stdout
