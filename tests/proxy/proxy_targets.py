"""What stands between client and storefront in a test: each is started before a storefront's URL."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

import werkzeug.serving
from proxy_client import ask, request
from stack import Server, guard
from stack.ports import HOST

from seckill_sidecar.adapters.storefront import ReverseProxy
from seckill_sidecar.settings.schema import StorefrontSettings, Timeouts

Address = tuple[str, int]

_GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:seckill_sidecar.gunicorn_conf"]

_ROUTE = """
keys:
  - {id: "1", secret: sixteen-characters-or-more}
identity:
  buyer: {cookie: seckill_buyer, trust: signed}
routes:
  - name: flash
    path: /flash/{sku}
    item: {path: sku}
"""


class Gunicorn(Server):
    """The bare reverse proxy under gunicorn, as the sidecar runs it."""

    name = "gunicorn"

    def __init__(self, storefront: str, **environment: str) -> None:
        self._environment = {"STOREFRONT": storefront, **environment}
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SECKILL_CONFIG": str(self.folder / "seckill.yaml"), **self._environment}

    def prepare(self) -> None:
        (self.folder / "seckill.yaml").write_text(self.configuration())

    def configuration(self) -> str:
        """The YAML."""
        return f"serve:\n  listen: {HOST}:{self.port}\n  workers: 1\n"

    def command(self) -> list[str]:
        here = str(Path(__file__).parent)
        return [*_GUNICORN, "--pythonpath", here, "bare_proxy:application"]

    def processes(self) -> list[int]:
        """gunicorn and its workers."""
        return [self.pid, *guard.descendants(self.pid)]

    def answers(self) -> bool:
        return ask(self.address, request("/", "Connection: close", method="CONNECT")).status == 501


class Sidecar(Gunicorn):
    """The whole sidecar, with a route that none of these tests takes."""

    name = "sidecar"

    def __init__(self, storefront: str, redis: str) -> None:
        self._stores = {"storefront": storefront, "redis": redis}
        super().__init__(storefront)

    def configuration(self) -> str:
        stores = "".join(f"  {name}: {url}\n" for name, url in self._stores.items())
        return f"{super().configuration()}stores:\n{stores}{_ROUTE}"

    def command(self) -> list[str]:
        return _GUNICORN


@contextmanager
def under_gunicorn(storefront: str) -> Iterator[Address]:
    """gunicorn with our worker and our settings."""
    with Gunicorn(storefront) as server:
        yield server.address


@contextmanager
def under_werkzeug(storefront: str) -> Iterator[Address]:
    """A threaded server that tells the raw target, but merges duplicate request fields."""

    class Quiet(werkzeug.serving.WSGIRequestHandler):
        def send_response(self, code: int, message: str | None = None) -> None:
            self.send_response_only(code, message)  # without a Server and a Date of its own

    with closing(_proxy(storefront)) as proxy:
        server = werkzeug.serving.make_server(HOST, 0, proxy, threaded=True, request_handler=Quiet)
        with _serving(server) as address:
            yield address


@contextmanager
def under_wsgiref(storefront: str) -> Iterator[Address]:
    """A threaded server that tells no more than WSGI asks for, and is strict about it."""

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with closing(_proxy(storefront)) as proxy:
        server = make_server(HOST, 0, validator(proxy), Threaded, Quiet)
        with _serving(server) as address:
            yield address


TARGETS: dict[str, Callable[[str], Any]] = {
    "gunicorn": under_gunicorn,
    "werkzeug": under_werkzeug,
    "wsgiref": under_wsgiref,
}


def _proxy(storefront: str) -> ReverseProxy:
    return ReverseProxy(storefront, StorefrontSettings(), Timeouts.model_validate({"storefront": "5s"}))


@contextmanager
def _serving(server: Any) -> Iterator[Address]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[:2]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
