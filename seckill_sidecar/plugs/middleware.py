"""The gate around any WSGI application: the wrapped site itself, or the reverse proxy to one.

request > own address?  > orders application
        > gate.decide   > pass on  > application, untouched; its answer too, though its status may be watched
                        > forward  > application, with our signed headers > its answer, or our own if it failed
                        > answer   > client
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from seckill_sidecar.clock import Clock, SystemClock
from seckill_sidecar.errors import OutcomeUnknown, SeckillError, StoreDown
from seckill_sidecar.gate.pipeline import Forward, PassOn, Pipeline
from seckill_sidecar.gate.settle import Watched
from seckill_sidecar.ports import Breaker
from seckill_sidecar.wire.answers import Answer
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.trace import Trace

Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Any, StartResponse], Iterable[bytes]]

_log = logging.getLogger(__name__)
_OURS = "HTTP_X_SECKILL_"
_PROBE = f"{_OURS}PROBE"
_TRY = "HTTP_SECKILL_TRY"
_REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Asked:
    """The fact that observers are told: the storefront has answered an accepted purchase, or failed to.

    Moments are Unix seconds.
    """

    order_id: str
    trace: Trace
    began: float
    ended: float
    fault: str = ""


class Middleware:
    """A WSGI application: the gate in front of another one. Works in any server, with threads or gevent."""

    def __init__(
        self,
        application: Application,
        gate: Pipeline,
        own: Application,
        prefix: str,
        storefront_breaker: Breaker,
        probe: Callable[[Request], Answer | None] = lambda _: None,
        clock: Clock | None = None,
        observers: Sequence[Callable[[Asked], None]] = (),
    ) -> None:
        """``own`` serves the addresses under ``prefix``; ``probe`` answers the doctor, and nobody else."""
        self._application = application
        self._gate = gate
        self._own = own
        self._prefix = prefix
        self._breaker = storefront_breaker
        self._probe = probe
        self._clock = clock or SystemClock()
        self._observers = tuple(observers)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # One search for all names, since next to no request has one of these.
        ours = [name for name in environ if name.startswith(_OURS)] if _OURS in " ".join(environ) else []
        if _PROBE in ours:
            asked = Request(environ)
            if (told := self._probe(asked)) is not None:
                return _send(told, asked, start_response)
        # These names are ours: what a client sends under them is forged.
        for name in ours:
            del environ[name]
        if environ.get("PATH_INFO", "").startswith(self._prefix):
            return self._own(environ, start_response)
        request = Request(environ)
        outcome = self._gate.decide(request)
        if isinstance(outcome, PassOn):
            return self._pass_on(environ, outcome, start_response)
        if isinstance(outcome, Forward):
            return self._forward(request, outcome, start_response)
        return _send(outcome, request, start_response)

    def _pass_on(self, environ: Environ, outcome: PassOn, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get(_TRY) == "again":
            # Sent by our script, which has got no answer: only the gate can tell two purchases from one sent twice.
            request = Request(environ)
            return _send(self._gate.not_repeated(request), request, start_response)
        watched = outcome.watched
        if watched is None:
            return self._application(environ, start_response)
        environ["seckill.watched"] = True
        answer = _Watched(start_response, watched, self._gate.storefront_said)
        return answer.of(self._application(environ, answer.start_response))

    def _forward(self, request: Request, forward: Forward, start_response: StartResponse) -> Iterable[bytes]:
        for name, value in forward.headers:
            request.environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        request.environ["seckill.storefront_headers"] = forward.headers
        began = self._clock.wall()
        try:
            with self._breaker.calling():
                reception = _Reception(self._application, request.environ)
        except SeckillError as error:
            self._tell(forward, began, str(error))
            _log.warning("storefront failed for accepted order %s: %s", forward.order.id, error)
            return _send(self._gate.storefront_failed(request, forward.order, error), request, start_response)
        self._tell(forward, began)
        return reception.pass_on(start_response, forward.answer_headers)

    def _tell(self, forward: Forward, began: float, fault: str = "") -> None:
        for observer in self._observers:
            observer(Asked(forward.order.id, forward.trace, began, self._clock.wall(), fault))


class _Watched:
    """An answer that passes through as it comes, and whose status is told once it is final.

    By WSGI it is so with the first byte of the body, or at its end; an application that breaks off before may yet
    answer otherwise. A client that hangs up changes nothing of what the application has said.
    """

    def __init__(self, start_response: StartResponse, watched: Watched, tell: Callable[[Watched, str], None]) -> None:
        self._start_response = start_response
        self._watched = watched
        self._tell = tell
        self._status = ""
        self._body: Iterable[bytes] = ()

    def start_response(self, status: str, *args: Any) -> Callable[[bytes], object]:
        self._status = status
        write = self._start_response(status, *args)

        def tell_and_write(piece: bytes) -> object:
            self._final()
            return write(piece)

        return tell_and_write

    def of(self, body: Iterable[bytes]) -> _Watched:
        """The answer with this body."""
        self._body = body
        return self

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._body)
        while True:
            try:
                piece = next(pieces, None)
            except BaseException:
                self._break_off()
                raise
            if piece is None or piece:
                self._final()
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._final()

    def _final(self) -> None:
        if self._status:
            status, self._status = self._status, ""
            self._tell(self._watched, status)

    def _break_off(self) -> None:
        if self._status:
            status, self._status = self._status, ""
            _log.error(
                "an answer %s broke off before its first byte, so order %s was not settled as %s; see to it by hand",
                status, self._watched.wish.order_id, self._watched.wish.state.value,
            )  # fmt: skip


class _Reception:
    """The application's answer, taken in as far as its status: whether it failed decides who answers."""

    def __init__(self, application: Application, environ: Environ) -> None:
        """Raises ``StoreDown`` if it failed, ``OutcomeUnknown`` if it may have done its work all the same."""
        self._start: tuple[Any, ...] | None = None
        self._head: list[bytes] = []
        try:
            self._body = application(environ, self._start_response)
            self._rest = iter(self._body)
            while self._start is None and (piece := next(self._rest, None)) is not None:
                self._head.append(piece)
        except SeckillError:
            self._close()
            raise
        except Exception as error:
            self._close()
            raise StoreDown("storefront", f"{type(error).__name__}: {error}") from error
        status = str(self._start[0]) if self._start else "nothing"
        if status.startswith(("5", "nothing")):
            self._close()
            # A gateway's 502 or 504 speaks for itself only: what stands behind it may have taken the order.
            kind = OutcomeUnknown if status.startswith(("502", "504")) else StoreDown
            raise kind("storefront", f"it answered {status}")

    def _start_response(self, *args: Any) -> Callable[[bytes], None]:
        self._start = args
        return self._head.append

    def pass_on(self, start_response: StartResponse, more: list[tuple[str, str]]) -> Iterable[bytes]:
        """Give the answer to the client as it came, with these fields added."""
        assert self._start is not None  # noqa: S101 - __init__ raises otherwise
        status, fields, *rest = self._start
        start_response(status, [*fields, *more], *rest)
        return _Stream(self._head, self._rest, self._close)

    def _close(self) -> None:
        close = getattr(getattr(self, "_body", None), "close", None)
        if close is not None:
            close()


class _Stream:
    """A body: what was taken in already, then the rest."""

    def __init__(self, head: list[bytes], rest: Iterator[bytes], close: Callable[[], None]) -> None:
        self._head = iter(head)
        self._rest = rest
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        yield from self._head
        yield from self._rest


def _send(answer: Answer, request: Request, start_response: StartResponse) -> Iterable[bytes]:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    start_response(_REASONS[answer.status], headers)
    return [] if request.method == "HEAD" else [answer.body]
