"""``GET {prefix}orders/{id}/socket``: the same through a WebSocket, a message each; what the client says is ignored.

Only under a server that gives its connection away (gunicorn's ``gunicorn.socket``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, MutableMapping
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

import falcon
from simple_websocket import ConnectionClosed, Server
from wsproto.events import Ping
from wsproto.utilities import ProtocolError

from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.gate.results.hub import Waiter
from seckill_sidecar.gate.results.result import Result
from seckill_sidecar.plugs.results.asking import Reception
from seckill_sidecar.plugs.results.following import Follower, News, Step
from seckill_sidecar.plugs.results.places import place_for

Application = Callable[[Any, Any], Iterable[bytes]]

_CONVERSATION = "seckill.conversation"
_LONGEST_MESSAGE = 1024
_MOST_MESSAGES = 64
_DONE, _RESTARTING, _LATER = 1000, 1012, 1013
_LINGER = 1.0
"""Seconds in which a client may answer the closing message."""
_PORTS = {"http": "80", "https": "443"}


class SocketResource:
    """Lets in who may, and leaves the conversation to ``Conversations``."""

    def __init__(self, reception: Reception, follower: Follower, origins: Collection[str]) -> None:
        """``origins`` are those of other hosts whose pages may ask."""
        self._reception = reception
        self._follower = follower
        self._origins = frozenset(map(_plain, origins))

    def on_get(self, req: falcon.Request, _: falcon.Response, order_id: str) -> None:
        self._refuse_what_is_no_socket(req, order_id)
        self._refuse_foreign_pages(req)
        asker = self._reception.asker(req, order_id)
        waiter, result = place_for(self._follower, asker)
        req.env[_CONVERSATION] = Conversation(self._follower, asker, waiter, result)

    def _refuse_what_is_no_socket(self, req: falcon.Request, order_id: str) -> None:
        if "gunicorn.socket" not in req.env:
            raise falcon.HTTPNotImplemented(
                title="No WebSocket here",
                description=f"this server has none; ask for Server-Sent Events instead: {order_id}/events",
            )
        tokens = (req.get_header("Connection") or "").lower().split(",")
        upgrades = "upgrade" in map(str.strip, tokens) and (req.get_header("Upgrade") or "").lower() == "websocket"
        if not upgrades or req.get_header("Sec-WebSocket-Version") != "13" or not req.get_header("Sec-WebSocket-Key"):
            raise falcon.HTTPError(
                426,
                title="A WebSocket",
                description="this address speaks WebSocket (version 13) only",
                headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
            )

    def _refuse_foreign_pages(self, req: falcon.Request) -> None:
        """A page of another site would be let in by the buyer's cookies, and could read along."""
        origin = req.get_header("Origin")
        if origin is None:  # no browser
            return
        plain = _plain(origin)
        host = (req.get_header("Host") or "").lower()
        same_host = {_plain(f"{scheme}://{host}").partition("://")[2] for scheme in _PORTS}
        if plain not in self._origins and plain.partition("://")[2] not in same_host:
            raise falcon.HTTPForbidden(title="Not from there", description="name this origin in results.origins")


class Conversation:
    """One order told through one connection."""

    def __init__(self, follower: Follower, asker: Asker, waiter: Waiter, result: Result) -> None:
        self._follower = follower
        self._asker = asker
        self._waiter = waiter
        self._result = result

    def hold(self, environ: MutableMapping[str, Any]) -> None:
        """Until all is told, or the client is gone."""
        try:
            with suppress(OSError, ConnectionClosed, ProtocolError):
                self._tell(_Socket(_handshake(environ), self._waiter))
        finally:
            self._waiter.leave()

    def _tell(self, socket: _Socket) -> None:
        reason = _DONE
        for step in self._follower.steps(self._asker, self._waiter, self._result):
            if not socket.connected:
                return
            if isinstance(step, News):
                socket.send(json.dumps(step.members, ensure_ascii=False))
            elif step is Step.BEAT:
                socket.ping()
            else:
                reason = _RESTARTING if step is Step.STOPPING else _LATER
        socket.close(reason)
        socket.thread.join(_LINGER)


def _handshake(environ: MutableMapping[str, Any]) -> dict[str, Any]:
    """What the library has to know of a request that was let in; the rest is the client's, and may be anything.

    Extensions, too: compressing so short a message would cost a quarter of a megabyte for each connection.
    """
    fixed = {"HTTP_HOST": "localhost", "HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}
    names = ("gunicorn.socket", "HTTP_SEC_WEBSOCKET_VERSION", "HTTP_SEC_WEBSOCKET_KEY")
    return fixed | {name: environ[name] for name in names}


class _Socket(Server):  # type: ignore[misc]
    """A WebSocket that nobody reads from; when the client is gone, the waiter wakes up."""

    pong_received: bool

    def __init__(self, environ: MutableMapping[str, Any], waiter: Waiter) -> None:
        super().__init__(
            environ,
            receive_bytes=_LONGEST_MESSAGE,
            max_message_size=_LONGEST_MESSAGE,
            thread_class=partial(Thread, daemon=True),
            event_class=lambda: waiter.event,
        )

    def ping(self) -> None:
        """Ask the client whether it is there; raises ``OSError`` if it has not answered since the last time.

        The library's own pings would take a selector for each connection.
        """
        if not self.pong_received:
            raise ConnectionAbortedError("the client does not answer")
        self.pong_received = False
        self.sock.send(self.ws.send(Ping()))

    def handshake(self) -> None:
        super().handshake()
        self.input_buffer = _Ignored()


class _Ignored(list[Any]):
    """Where messages go; a client that goes on and on is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self._came = 0

    def append(self, _: Any) -> None:
        self._came += 1
        if self._came > _MOST_MESSAGES:
            raise ConnectionAbortedError("too many messages of a client that has nothing to say")


class Conversations:
    """An application around ours: once a WebSocket was let in, the connection is the conversation's."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: list[tuple[Any, ...]] = []
        body = self._application(environ, lambda *args: answer.append(args))
        conversation = environ.get(_CONVERSATION)
        if conversation is None:
            start_response(*answer[0])
            return body
        conversation.hold(environ)
        # By it gunicorn knows that there is nothing to be answered, and closes the connection.
        raise StopIteration


def _plain(origin: str) -> str:
    """An origin in lower case, without the port that goes without saying."""
    scheme, _, host = origin.lower().rstrip("/").partition("://")
    port = _PORTS.get(scheme)
    return f"{scheme}://{host.removesuffix(f':{port}') if port else host}"
