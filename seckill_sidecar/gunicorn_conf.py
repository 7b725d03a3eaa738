"""gunicorn's settings for the sidecar: ``gunicorn -c python:seckill_sidecar.gunicorn_conf``.

Addresses and number of workers come from the YAML that ``SECKILL_CONFIG`` names (default
``/etc/seckill/seckill.yaml``).
"""

# Before anything else is imported: what is imported first would keep the blocking sockets and locks.
from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
from typing import Any  # noqa: E402

from seckill_sidecar.settings import load  # noqa: E402

_settings = load(os.environ.get("SECKILL_CONFIG", "/etc/seckill/seckill.yaml"), os.environ)

proc_name = "seckill-sidecar"
wsgi_app = "seckill_sidecar.wiring:sidecar()"
worker_class = "seckill_sidecar.plugs.worker.SidecarWorker"

bind = [_settings.serve.listen]
if _settings.operator.token is not None:
    bind.append(_settings.operator.listen)
workers = _settings.serve.workers
# gunicorn trusts every peer on a UNIX socket, so the file's mode is what protects it: 660, for nginx's group.
umask = 0o117
# A queue that the kernel keeps is a wait that no deadline sees: at 500 requests/s, 2048 (the default) would be 4 s.
backlog = 512
worker_connections = _settings.limits.connections

# nginx keepalive_timeout 10 s < keepalive 15 < graceful_timeout 30 < systemd's TimeoutStopSec: nginx closes idle
# connections before gunicorn does (the other way round a POST meets a closing one: 502), and all end before the kill.
keepalive = 15
graceful_timeout = 30
# The heartbeat of a worker's event loop. No deadline for requests: those have their own.
timeout = 30

# The C parser, which "auto" would pick if it were installed, lags behind and gains little.
http_parser = "python"
# As nginx does. A name with an underscore could pose as one with a hyphen.
header_map = "drop"
# Peers can't set SCRIPT_NAME or the scheme by a header: what the gate decides on is the request line only.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
limit_request_line = 8190
# Above nginx's 8 KiB for a line, since nginx itself appends to X-Forwarded-For.
limit_request_field_size = 16384
limit_request_fields = 100

# It would listen under $HOME or XDG_RUNTIME_DIR, which a service has no use for.
control_socket_disable = True
# nginx writes one.
accesslog = None
errorlog = "-"
loglevel = _settings.log.level


def on_starting(server: Any) -> None:
    """Once, in gunicorn's master."""
    if _settings.operator.token is None:
        server.log.info("operator.token is not set, so the operator's API is off")
