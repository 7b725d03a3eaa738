"""The gunicorn worker: gevent's, with two gaps of WSGI closed for the reverse proxy."""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

_create = wsgi.create


class PassedOnResponse(wsgi.Response):  # type: ignore[misc]
    """Sends the application's own ``Date`` and ``Server``. gunicorn would drop both and send its own.

    Without one from the application, there is no ``Server``, and ``Date`` is gunicorn's (RFC 9110 §6.6.1).
    """

    _KEPT = ("date", "server")

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)  # checks them all
        self.headers[:0] = [(name, value.strip(" \t")) for name, value in headers if name.lower() in self._KEPT]

    def default_headers(self) -> list[str]:
        present = {"server", *(name.lower() for name, _ in self.headers)}
        return [line for line in super().default_headers() if line.partition(":")[0].lower() not in present]


def create(req: Any, *args: Any, response_class: type = PassedOnResponse, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """gunicorn's maker of response and environ, with the request's header fields as sent added to the environ.

    In each request's own environ, so that nothing can leak from one request of a connection to the next.
    """
    response, environ = _create(req, *args, response_class=response_class, **kwargs)
    environ["seckill.raw_headers"] = req.headers
    return response, environ


class SidecarWorker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker with ``PassedOnResponse`` and ``seckill.raw_headers``."""

    def init_process(self) -> None:
        wsgi.create = create  # gunicorn has no setting for it; in this worker's process only
        super().init_process()
