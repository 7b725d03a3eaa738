"""A process that forks while it is connected: the child connects by itself, its parent's connection stays whole."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from broker_words import Crowd, Queues, publish

from seckill_sidecar.adapters.broker import RabbitBroker

pytestmark = pytest.mark.gevent_too


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """Do ``work`` in a child, which lives on until the body is done; fail if it did."""
    ours, theirs = socket.socketpair()
    if (pid := os.fork()) == 0:
        try:
            work()
            theirs.sendall(b"done")
            theirs.recv(1)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - nothing may return into a second copy of pytest
            traceback.print_exc()
            os._exit(1)
    theirs.close()
    with ours:
        assert ours.recv(4) == b"done"
        yield
        ours.sendall(b"!")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


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
