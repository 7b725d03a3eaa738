"""A process that forks while it is connected: the child connects by itself, its parent's connection stays whole."""

from __future__ import annotations

import logging
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from broker_words import Crowd, Queues, publish

from seckill_sidecar.adapters.broker import RabbitBroker

pytestmark = pytest.mark.gevent_too


PATIENCE = 20.0


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """Do ``work`` in a child, which lives on until the body is done; fail if it did."""
    ours, theirs = socket.socketpair()
    if (pid := os.fork()) == 0:
        ours.close()
        _live_as_child(work, theirs)
    theirs.close()
    try:
        with ours:
            ours.settimeout(PATIENCE)
            assert ours.recv(4) == b"done"
            yield
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _live_as_child(work: Callable[[], None], parent: socket.socket) -> NoReturn:
    """Work, say so, wait until the parent hangs up. Nothing may return into a second copy of pytest."""
    try:
        work()
        parent.sendall(b"done")
        parent.recv(1)
        os._exit(0)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(1)


def expect_confirmed(broker: RabbitBroker, name: str) -> None:
    attempts = Crowd(broker).publish(*(f"{name}{number}" for number in range(10))).outcomes()
    assert [attempt.error for attempt in attempts] == [None] * 10


def test_parent_and_child_publish_side_by_side(
    broker: RabbitBroker, queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    publish(broker, "first")
    caplog.set_level(logging.INFO, "seckill_sidecar")
    with forked(lambda: expect_confirmed(broker, "child")):
        expect_confirmed(broker, "parent")
    expect_confirmed(broker, "after")
    assert len(queues.read()) == 1 + 10 + 10 + 10
    assert caplog.text == "", "the parent's connection was lost"


def test_a_child_may_close_without_ending_its_parents_connection(
    broker: RabbitBroker, caplog: pytest.LogCaptureFixture
) -> None:
    publish(broker, "first")
    caplog.set_level(logging.INFO, "seckill_sidecar")
    with forked(broker.close):
        expect_confirmed(broker, "parent")
    assert caplog.text == "", "the parent's connection was lost"
