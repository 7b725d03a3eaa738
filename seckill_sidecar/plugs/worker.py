"""The gunicorn worker: gevent's, fair among its connections, and with two gaps of WSGI closed for the reverse proxy."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import gevent
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

_create, _Errors = wsgi.create, wsgi.WSGIErrorsWrapper
_date_of: Callable[[int], str] = lru_cache(maxsize=2)(util.http_date)
BODY_SECONDS = 20.0
"""In which the body of a purchase has to be there, all of it. nginx has it already when it sends the head."""

YOUNG = 10_000
"""How many objects more than before make Python look for garbage among them; its own number (3.11) is 700."""


def spare_the_program() -> None:
    """Look for garbage in what comes from now on, and no more in what there is. For who is about to serve.

    One look at all of the program takes 30 ms and more, in which the worker answers nobody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def body_within() -> gevent.Timeout:
    """A context in which reading a body raises ``TimeoutError`` if the client takes too long."""
    return gevent.Timeout(BODY_SECONDS, TimeoutError)


def came_with_its_head(body: Any) -> bool:
    """Whether all of a body is here, as nginx sends small ones: reading it waits for nothing, and needs no timer."""
    length = getattr(body.reader, "length", None)
    return length is not None and body.reader.unreader.buf.getbuffer().nbytes >= length


class PassedOnResponse(wsgi.Response):  # type: ignore[misc]
    """Sends the application's own ``Date`` and ``Server``. gunicorn would drop both and send its own.

    Without one from the application, there is no ``Server``, and ``Date`` is gunicorn's (RFC 9110 §6.6.1).

    The head goes out together with the first piece of the body: gunicorn would send each by itself, and sending is what
    costs most in a short answer.
    """

    _KEPT = ("date", "server")
    _head = b""
    headers_sent: bool

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)  # checks them all
        self.headers[:0] = [(name, value.strip(" \t")) for name, value in headers if name.lower() in self._KEPT]

    def default_headers(self) -> list[str]:
        present = {"server", *(name.lower() for name, _ in self.headers)}
        return [line for line in super().default_headers() if line.partition(":")[0].lower() not in present]

    def send_headers(self) -> None:
        """Have the head ready to be sent; ``write`` and ``close`` send it, whatever the body is."""
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def write(self, piece: bytes) -> None:
        super().write(piece)
        self._send_head()

    def close(self) -> None:
        self.send_headers()
        self._send_head()
        super().close()

    def can_sendfile(self) -> bool:
        """It would go past the head."""
        return False

    def _emit_body(self, data: bytes) -> None:
        if self._head and not self.chunked:
            data, self._head = self._head + data, b""
        self._send_head()
        super()._emit_body(data)

    def _send_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            util.write(self.sock, head)


def create(req: Any, *args: Any, response_class: type = PassedOnResponse, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """gunicorn's maker of response and environ, with the request's header fields as sent added to the environ.

    In each request's own environ, so that nothing can leak from one request of a connection to the next.
    """
    response, environ = _create(req, *args, response_class=response_class, **kwargs)
    environ["seckill.raw_headers"] = req.headers
    if not came_with_its_head(req.body):
        environ["seckill.body_within"] = body_within
    return response, environ


def http_date(timestamp: float | None = None) -> str:
    """gunicorn's date for ``Date``, written once a second: each answer has one."""
    return _date_of(int(time.time() if timestamp is None else timestamp))


class LateErrors:
    """``wsgi.errors``, made when something is written to it: gunicorn would make one for each request."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def write(self, text: str) -> None:
        _Errors(self._settings).write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """There is nothing to be done: what is written is flushed."""


class SidecarWorker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker with ``PassedOnResponse`` and ``seckill.raw_headers``."""

    when_stopping: Sequence[Callable[[], None]] = ()
    """What to do as soon as it is told to end: whoever waits for something would hold it up."""

    def init_process(self) -> None:
        # gunicorn has no setting for these; in this worker's process only.
        wsgi.create, wsgi.WSGIErrorsWrapper, util.http_date = create, LateErrors, http_date
        # To look a setting up takes several calls, and a request asks for some thirty. Here they change no more.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        spare_the_program()

    def handle_exit(self, *args: Any) -> None:
        """TERM, which is also how gunicorn's master replaces its workers for a reload."""
        super().handle_exit(*args)
        for stop in self.when_stopping:
            gevent.spawn(stop)  # a signal's handler must not wait for a lock

    def handle_request(self, *args: Any) -> None:
        """Serve one request, and let the other connections have their turn.

        gevent switches only where it would have to wait. A connection on which the next request is there already (nginx
        keeps a few busy) would otherwise be served on and on, while the others wait for seconds.
        """
        super().handle_request(*args)
        gevent.sleep(0)
