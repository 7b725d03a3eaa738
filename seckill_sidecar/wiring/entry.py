"""The two plugs as they are entered: ``SeckillMiddleware(app, conf)``, and ``sidecar()`` for gunicorn."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seckill_sidecar import faults
from seckill_sidecar.adapters.broker import quiet_pika
from seckill_sidecar.observers import log
from seckill_sidecar.observers.tracing import quiet_opentelemetry
from seckill_sidecar.plugs.middleware import Application, Environ, StartResponse
from seckill_sidecar.settings import Settings, load
from seckill_sidecar.wiring.site import Site

DEFAULT_CONFIG = "/etc/seckill/seckill.yaml"


class SeckillMiddleware:
    """The gate as WSGI middleware: ``app = SeckillMiddleware(app, "seckill.yaml")``."""

    def __init__(self, application: Application, conf: str | Path | Settings) -> None:
        """``conf`` is the YAML's path, or settings that were loaded already. Raises ``ConfigurationError``."""
        settings = conf if isinstance(conf, Settings) else load(conf, os.environ)
        site = Site(settings, role="middleware")
        site.refuse_unfit_ledger()
        site.follow_switches()
        site.keep_shield()
        self._middleware = site.middleware(application)
        atexit.register(site.end_tracing)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._middleware(environ, start_response)


def listening(settings: Settings) -> list[str]:
    """Where the sidecar listens: for nginx, and for the operator if there is a token."""
    operator = settings.operator
    return [settings.serve.listen, *([operator.listen] if operator.token is not None else [])]


def sidecar(
    settings: Settings | None = None, when_stopping: Callable[[Callable[[], None]], object] = atexit.register
) -> Any:
    """The sidecar's WSGI application for gunicorn; without settings, by the YAML that ``SECKILL_CONFIG`` names.

    ``when_stopping`` is told what is to be called as soon as this process is about to end.
    """
    settings = settings or load(config_path(), os.environ)
    set_up_logging(settings)
    faults.arm(os.environ)
    site = Site(settings, role="sidecar")
    storefront = site.storefront()
    site.refuse_unfit_ledger()
    site.follow_switches()
    site.keep_shield()
    site.tick()
    atexit.register(site.end_tracing)
    when_stopping(site.waiting.stop)
    return site.doors(site.middleware(storefront))


def set_up_logging(settings: Settings) -> None:
    """For the program's own processes; a site that wraps itself in the middleware keeps its own logging."""
    log.configure(settings.log)
    quiet_pika()
    quiet_opentelemetry()


def config_path() -> str:
    """The YAML's path: ``SECKILL_CONFIG``, or the default."""
    return os.environ.get("SECKILL_CONFIG", DEFAULT_CONFIG)
