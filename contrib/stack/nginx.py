"""A private nginx."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from string import Template

from stack import guard
from stack.base import Server, StackError, program
from stack.ports import HOST
from stack.wait import eventually

MODULES = "/usr/lib/nginx/modules"
JAVASCRIPT = "ngx_http_js_module"
"""The module that ``install.sh njs`` installs."""

_WHOLE = Template("""\
$modules
$user
pid nginx.pid;
pcre_jit on;
error_log stderr info;
worker_processes $workers;
events { worker_connections $connections; }
http {
    access_log off;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    $http
    server {
        listen $listen backlog=$connections;
        $server
    }
}
""")


class Nginx(Server):
    """nginx with a configuration of the caller's, in a prefix folder of its own.

    ``server`` is what stands within ``server { }``, ``http`` what stands beside it. Relative paths start at ``folder``.
    It loads ``modules``, and runs so many ``workers``, each with up to so many ``connections``, those to upstreams too.
    """

    name = "nginx"

    def __init__(
        self,
        server: str = "",
        http: str = "",
        folder: Path | None = None,
        workers: int = 1,
        connections: int = 4096,
        modules: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self.workers, self.connections, self.modules = workers, connections, modules
        self.conf = self.folder / "nginx.conf"
        self.configure(server, http)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def configure(self, server: str, http: str = "") -> None:
        """Write a new configuration, for the next start or ``reload``."""
        # A master that is root would run its workers as a user who can't see the temporary folder.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _WHOLE.substitute(
            modules="\n".join(f"load_module {MODULES}/{module}.so;" for module in self.modules),
            user=user,
            workers=self.workers,
            connections=self.connections,
            http=http,
            server=server,
            listen=f"{HOST}:{self.port}",
        )
        self.conf.write_text(text)

    def prepare(self) -> None:
        (self.folder / "tmp").mkdir(exist_ok=True)
        self._test()

    def command(self) -> list[str]:
        return [*self._nginx(), "-g", "daemon off;"]

    def answers(self) -> bool:
        with socket.create_connection(self.address, timeout=5.0):
            return True

    def reload(self) -> None:
        """Take up the configuration as it is now (SIGHUP); returns when no worker with the old one accepts."""
        self._test()
        old = list(guard.descendants(self.pid))
        guard.signal_all(signal.SIGHUP, [self.pid])
        eventually(lambda: all(map(_retired, old)), what="nginx has retired its old workers")

    def _nginx(self) -> list[str]:
        return [program("nginx"), "-p", str(self.folder), "-c", str(self.conf), "-e", "stderr"]

    def _test(self) -> None:
        """Raise ``StackError`` with what nginx says, if it would not take the configuration."""
        done = subprocess.run([*self._nginx(), "-t"], capture_output=True, text=True, timeout=20.0, check=False)
        if done.returncode != 0:
            raise StackError(f"nginx refuses its configuration\n{done.stderr}")


def _retired(worker: int) -> bool:
    """Whether a worker is gone, or only finishes what it has begun."""
    try:
        return "shutting down" in Path(f"/proc/{worker}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
