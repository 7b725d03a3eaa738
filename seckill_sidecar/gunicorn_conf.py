"""gunicorn's settings for the sidecar: ``gunicorn -c python:seckill_sidecar.gunicorn_conf``.

Addresses and number of workers come from the YAML that ``SECKILL_CONFIG`` names (default
``/etc/seckill/seckill.yaml``).
"""

# Before anything else is imported: what is imported first would keep the blocking sockets and locks.
from gevent import monkey

monkey.patch_all()

import atexit  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

from seckill_sidecar.adapters.systemd import ADDRESS, READY, passed_doors, teller  # noqa: E402
from seckill_sidecar.clock import SystemClock  # noqa: E402
from seckill_sidecar.errors import Problem  # noqa: E402
from seckill_sidecar.observers.log import FewLines, let_go_of_full_outputs  # noqa: E402
from seckill_sidecar.plugs import listeners, master  # noqa: E402
from seckill_sidecar.plugs.listeners import allow_open_files, files_needed  # noqa: E402
from seckill_sidecar.settings import Settings, inspect, load  # noqa: E402
from seckill_sidecar.wiring import config_path, listening, sidecar  # noqa: E402

_settings = load(config_path(), os.environ)
# gunicorn would say that it is ready before any worker is.
_tell_systemd = teller(os.environ.pop(ADDRESS, ""))

proc_name = "seckill-sidecar"
wsgi_app = "seckill_sidecar.gunicorn_conf:application()"
worker_class = "seckill_sidecar.plugs.worker.SidecarWorker"

# gunicorn trusts every peer on a UNIX socket, so the file's mode is what protects it: 660, for nginx's group.
umask = 0o117
# A queue that the kernel keeps is a wait that no deadline sees: at 500 requests/s, 2048 (the default) would be 4 s.
backlog = 512
bind = listeners.bindings(listening(_settings), passed_doors(os.environ, os.getpid()), backlog, umask)

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
# Whom to believe those two, which nobody can send: gunicorn would look the peer up for each request.
forwarded_allow_ips = "*"
limit_request_line = 8190
# Above nginx's 8 KiB for a line, since nginx itself appends to X-Forwarded-For.
limit_request_field_size = 16384
limit_request_fields = 100

# It would listen under $HOME or XDG_RUNTIME_DIR, which a service has no use for.
control_socket_disable = True
# nginx writes one.
accesslog = None
errorlog = "-"


def _of(settings: Settings) -> dict[str, Any]:
    """What follows from the YAML, and changes with it by a reload."""
    return {
        "workers": settings.serve.workers,
        "worker_connections": settings.limits.connections + settings.results.places,
        "loglevel": settings.log.level,
    }


globals().update(_of(_settings))
_when_stopping: list[Callable[[], None]] = []


def on_starting(server: Any) -> None:
    """Once, in gunicorn's master."""
    atexit.register(let_go_of_full_outputs)
    # It has a line for each request that is no HTTP.
    logging.getLogger("gunicorn.error").addFilter(FewLines(["gunicorn.error"], SystemClock()))
    if _settings.operator.token is None:
        server.log.info("operator.token is not set, so the operator's API is off")
    master.keep_the_last_good(server, lambda: _reload(server))
    master.beat(server, _tell_systemd)


def _reload(server: Any) -> Sequence[Problem]:
    """Read the YAML again, unless something is wrong with it. gunicorn then reads this module's names again."""
    report = inspect(config_path(), os.environ)
    if report.settings is not None:
        settings = _where_it_listens_now(report.settings, server)
        globals().update(_of(settings), _settings=settings)
    return report.problems


def _where_it_listens_now(settings: Settings, server: Any) -> Settings:
    """The same at the addresses that are open: gunicorn would close them, and refuse those who wait there."""
    if listening(settings) == listening(_settings):
        return settings
    server.log.warning("serve.listen and operator.listen change by a restart only; they stay as they are")
    serve = settings.serve.model_copy(update={"listen": _settings.serve.listen})
    door = {"listen": _settings.operator.listen, "token": _settings.operator.token}
    return settings.model_copy(update={"serve": serve, "operator": settings.operator.model_copy(update=door)})


def application() -> Any:
    """What each worker serves, by the settings of the master: a worker that is replaced does not read them anew."""
    return sidecar(_settings, _when_stopping.append)


def post_worker_init(worker: Any) -> None:
    """In a worker that is about to serve."""
    worker.when_stopping = tuple(_when_stopping)
    allow_open_files(files_needed(_settings))
    _tell_systemd(READY)
