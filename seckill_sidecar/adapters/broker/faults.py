"""What pika reports, in the operator's words: one table. No text here ever holds a user name or a password."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pika import exceptions

from seckill_sidecar.errors import StoreDown, StoreError

STORE = "broker"

_MEANINGS: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.ProbableAuthenticationError, "it refused the user name or the password"),
    (exceptions.ProbableAccessDeniedError, "it refused the virtual host"),
    (exceptions.IncompatibleProtocolError, "what answers there does not speak AMQP 0-9-1"),
    (exceptions.ConnectionOpenAborted, "no answer to the handshake in time"),
    (exceptions.AMQPHeartbeatTimeout, "its heartbeats stopped"),
    (exceptions.ConnectionBlockedTimeout, "its alarm (memory or disk) lasted too long"),
    (exceptions.ChannelClosedByBroker, "it closed the channel"),
    (exceptions.ConnectionClosedByBroker, "it closed the connection"),
    (exceptions.StreamLostError, "the connection was lost"),
    (TimeoutError, "no connection in time"),
)
"""The first row that fits an exception says what it means."""

_OTHER_ARGUMENTS = 406
"""AMQP's PRECONDITION_FAILED: what a queue or exchange answers that was declared with other arguments before."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not done; becomes a fresh error for each caller who is told."""

    kind: type[StoreError]
    what: str
    cause: BaseException | None = None

    def error(self) -> StoreError:
        """The error to raise, already ``from`` its cause."""
        error = self.kind(STORE, self.what)
        error.__cause__ = self.cause
        return error


def lost(error: BaseException, address: str) -> Failure:
    """The failure that a pika exception means for a connection to ``address``."""
    cause = _innermost(error)
    return Failure(StoreDown, f"{address}: {_meaning(cause)}", cause)


def quiet_pika() -> None:
    """Silence pika's own loggers in this process. For entry points: the library never changes them by itself."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _meaning(error: BaseException) -> str:
    said = _said(error)
    for kind, meaning in _MEANINGS:
        if isinstance(error, kind):
            return f"{meaning} ({said}){_remedy(error)}" if said else meaning
    return said or type(error).__name__


def _remedy(error: BaseException) -> str:
    if getattr(error, "reply_code", 0) != _OTHER_ARGUMENTS or "inequivalent arg" not in str(error):
        return ""
    return (
        ". It exists already with other arguments: set the broker section back to these, or, once it is empty,"
        " delete it (rabbitmqctl delete_queue NAME) and it is declared anew"
    )


def _said(error: BaseException) -> str:
    """What the exception itself says, without its class's name and quotes."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(getattr(error, "reply_text", "")) or ", ".join(map(str, error.args))


def _innermost(error: BaseException) -> BaseException:
    """pika wraps what went wrong in up to three layers that say nothing."""
    for inner in (*getattr(error, "exceptions", ())[-1:], getattr(error, "exception", None), *error.args[:1]):
        if isinstance(inner, BaseException):
            return _innermost(inner)
    return error
