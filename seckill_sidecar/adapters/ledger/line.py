"""The line to one Redis: sends commands in pipelines, and turns its errors into ours.

Works on redis-py's connections directly. Its client would retry a timed-out deduction ten times by
default, and its pooled commands cost several times the CPU of one gathered pipeline.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from hiredis import pack_command
from redis import ConnectionPool
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from seckill_sidecar.adapters.ledger.gatherer import Call, Gatherer
from seckill_sidecar.adapters.ledger.scripts import Script
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import DeadlinePassed, LedgerUntrusted, OutcomeUnknown, StoreDown, StoreError

STORE = "ledger"

RUN_ID = "\x00the run id of this server\x00".ljust(40, "\x00")
"""Stands in a command for the run id of the server that it will be sent to, which may change until then."""
_RUN_ID = RUN_ID.encode()

# An error reply means that the command was not run. These are about the server, not about the data.
_SERVER_ERRORS = (
    redis_errors.OutOfMemoryError,
    redis_errors.ReadOnlyError,
    redis_errors.NoPermissionError,
    redis_errors.ClusterError,
    redis_errors.BusyLoadingError,
    redis_errors.AuthenticationError,
)
_REFUSALS = (redis_errors.ResponseError, redis_errors.BusyLoadingError, redis_errors.AuthenticationError)
"""Replies of a server that answers, but not as it was asked."""
_SERVER_PREFIXES = (
    "OOM",
    "MISCONF",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOREPLICAS",
    "BUSY",
    "LOADING",
    "TRYAGAIN",
    "NOAUTH",
)


def translate(error: Exception) -> StoreError:
    """Our error for an error reply of the server. Nothing was changed in either case."""
    text = str(error)
    if isinstance(error, redis_errors.NoScriptError):
        return _NoScript(STORE, text)
    if isinstance(error, _SERVER_ERRORS) or text.startswith(_SERVER_PREFIXES):
        return StoreDown(STORE, text)
    return LedgerUntrusted(STORE, text)


class Line:
    """One connection's worth of pipelines to one server, shared by the threads of a process."""

    def __init__(self, url: str, clock: Clock, timeout: float, connect_timeout: float, batch: int, bound: int) -> None:
        """Timeouts in seconds: of one call, and of opening a connection. Opens nothing yet."""
        self._clock = clock
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._gatherer = Gatherer(STORE, self._fly, batch, bound)
        # Reads URLs and makes connections; there is one at a time.
        self._maker = ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), protocol=2, decode_responses=False)
        self._connection: Any = None
        self._pid = 0
        self._run_id = b""

    def ask(self, *command: Any, deadline: Deadline) -> Any:
        """One command's answer, by the deadline and at most one timeout from now (and one for connecting)."""
        bounded = self._bounded(deadline)
        # Packed by the caller, so that what can't be packed fails the caller and not the whole flight.
        return self._gatherer.submit(pack_command(command), bounded)

    def ask_all(self, commands: Sequence[Sequence[Any]], *, deadline: Deadline) -> list[Any]:
        """The answers to commands that travel together, one after the other on the same connection.

        What the server refused has a ``StoreError`` for its answer. The time bounds are those of ``ask``.
        """
        bounded = self._bounded(deadline)
        packed = b"".join(pack_command(tuple(command)) for command in commands)
        answers: list[Any] = self._gatherer.submit(packed, bounded, len(commands))
        return answers

    def post(self, *command: Any, deadline: Deadline, report: Callable[[Exception], None]) -> None:
        """Send one command with the next ones that are asked, and wait for no answer; ``report`` is told of a failure.

        The time bounds are those of ``ask``.
        """
        self._gatherer.post(pack_command(command), self._bounded(deadline), report)

    def _bounded(self, deadline: Deadline) -> Deadline:
        if deadline.passed():
            raise DeadlinePassed(STORE, "the request's time was over; nothing was sent")
        return Deadline.after(deadline.within(self._patience()), self._clock)

    def run(self, script: Script, keys: Sequence[str], argv: Sequence[Any], deadline: Deadline) -> Any:
        """One script's answer. A server that lost its script cache is given the source again."""
        try:
            return self.ask("EVALSHA", script.sha, len(keys), *keys, *argv, deadline=deadline)
        except _NoScript:
            return self.ask("EVAL", script.source, len(keys), *keys, *argv, deadline=deadline)

    def run_all(self, calls: Sequence[tuple[Script, Sequence[str], Sequence[Any]]], deadline: Deadline) -> list[Any]:
        """The answers of scripts that travel together as by ``ask_all``; they have to be safe to be run again."""
        commands = [("EVALSHA", script.sha, len(keys), *keys, *argv) for script, keys, argv in calls]
        answers = self.ask_all(commands, deadline=deadline)
        if any(isinstance(answer, _NoScript) for answer in answers):
            commands = [("EVAL", script.source, len(keys), *keys, *argv) for script, keys, argv in calls]
            answers = self.ask_all(commands, deadline=deadline)
        return answers

    def close(self) -> None:
        """Drop the connection; a later call would open another."""
        if self._connection is not None:
            self._connection.disconnect()

    def _patience(self) -> float:
        is_open = self._connection is not None and self._connection.is_connected
        return self._timeout if is_open else self._connect_timeout + self._timeout

    def _fly(self, calls: Sequence[Call]) -> None:
        deadline = max((call.deadline for call in calls), key=lambda deadline: deadline.at)
        try:
            connection = self._connect(deadline)
        except (redis_errors.RedisError, OSError) as error:
            _fail(calls, StoreDown, f"can't connect: {error}", error)
            return
        deadline = Deadline.after(deadline.within(self._timeout), self._clock)
        try:
            commands = b"".join(call.command for call in calls)
            connection.send_packed_command([commands.replace(_RUN_ID, self._run_id)], check_health=False)
            for call in calls:
                _read(connection, call, deadline)
        except (redis_errors.RedisError, OSError) as error:
            _fail(calls, OutcomeUnknown, str(error), error)
        finally:
            # A connection that broke off in the middle still owes answers: they must not meet later questions.
            if not all(call.answered for call in calls) or any(
                isinstance(call.error, OutcomeUnknown) for call in calls
            ):
                connection.disconnect()

    def _connect(self, deadline: Deadline) -> Any:
        """The connection, opened by the deadline; after a fork one of the process's own."""
        if self._pid != os.getpid():
            self._pid, self._connection = os.getpid(), self._maker.make_connection()
        connection = self._connection
        if connection.is_connected and _is_spent(connection):
            connection.disconnect()
        if not connection.is_connected:
            connection.socket_timeout = deadline.within(self._timeout)
            connection.socket_connect_timeout = deadline.within(self._connect_timeout)
            try:
                connection.connect()
                self._run_id = _run_id_of(connection)
            except BaseException:
                connection.disconnect()
                raise
        return connection


def _run_id_of(connection: Any) -> bytes:
    """What tells this server process from every other one, and from itself before a restart: 40 hex digits."""
    connection.send_command("INFO", "server")
    found = re.search(rb"^run_id:([0-9a-f]{40})\r?$", connection.read_response(), re.MULTILINE)
    if found is None:
        raise redis_errors.ConnectionError("the server does not tell its run_id; is this Redis 7 or Valkey?")
    return found[1]


def _is_spent(connection: Any) -> bool:
    """Whether the server has closed it, or says something that nobody asked."""
    try:
        return bool(connection.can_read(timeout=0))
    except (redis_errors.RedisError, OSError):
        return True


class _NoScript(LedgerUntrusted):
    """The server doesn't know the script's digest (SCRIPT FLUSH, a restart)."""


def _read(connection: Any, call: Call, deadline: Deadline) -> None:
    if call.replies is not None:
        call.answer([_read_one(connection, deadline) for _ in range(call.replies)])
        return
    try:
        call.answer(connection.read_response(timeout=deadline.remaining()))
    except _REFUSALS as error:
        failure = translate(error)
        failure.__cause__ = error
        call.fail(failure)


def _read_one(connection: Any, deadline: Deadline) -> Any:
    try:
        return connection.read_response(timeout=deadline.remaining())
    except _REFUSALS as error:
        return translate(error)


def _fail(calls: Sequence[Call], kind: type[StoreError], what: str, cause: Exception) -> None:
    for call in calls:
        if not call.answered:
            error = kind(STORE, what)
            error.__cause__ = cause
            call.fail(error)


__all__ = ["RUN_ID", "STORE", "Line", "translate"]
