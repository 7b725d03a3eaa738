"""What a test runs as a process of its own: ``python gate_server.py storefront|threads|gevent PORT [CONFIG]``.

``storefront`` is the legacy site alone; the other two are the same site, wrapped by ``SeckillMiddleware``.
"""

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()

import os
from typing import Any

import werkzeug.serving
from gate_storefront import app

from seckill_sidecar.observers import log
from seckill_sidecar.settings import load
from seckill_sidecar.wiring import SeckillMiddleware


class Quiet(werkzeug.serving.WSGIRequestHandler):
    """No line for each request."""

    def log(self, *_: Any) -> None:
        """Nothing."""


def wrapped(config: str) -> Any:
    """The legacy site behind the gate."""
    settings = load(config, os.environ)
    log.configure(settings.log)
    return SeckillMiddleware(app, settings)


def serve(kind: str, port: int, config: str = "") -> None:
    """Serve until killed."""
    application = app if kind == "storefront" else wrapped(config)
    if kind == "gevent":
        from gevent.pywsgi import WSGIServer

        WSGIServer(("127.0.0.1", port), application, log=None).serve_forever()
    else:
        werkzeug.serving.make_server("127.0.0.1", port, application, True, request_handler=Quiet).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
