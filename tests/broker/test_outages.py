"""Publishing while RabbitMQ is paused, killed, out of memory, unreachable: nothing untrue is said, and it heals."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from broker_words import (
    UNHURRIED,
    Crowd,
    Open,
    Queues,
    publish,
    publish_until_confirmed,
)
from stack import RabbitMQ, eventually, free_port

from seckill_sidecar.adapters.broker import RabbitBroker
from seckill_sidecar.errors import OutcomeUnknown, StoreDown, TooBusy
from seckill_sidecar.settings.schema import Timeouts

pytestmark = pytest.mark.gevent_too

AT_ONCE = UNHURRIED.broker / 2
"""Seconds: less than a caller waits who is not told."""


def test_while_the_broker_is_paused_each_caller_waits_no_longer_than_its_deadline(
    broker: RabbitBroker, queues: Queues, rabbit_server: RabbitMQ
) -> None:
    publish(broker, "first")
    rabbit_server.pause()
    attempts = Crowd(broker).publish(*(f"m{number}" for number in range(20)), within=0.5).outcomes()
    assert {type(attempt.error) for attempt in attempts} == {OutcomeUnknown}
    assert all(attempt.seconds >= 0.5 for attempt in attempts)
    rabbit_server.resume()
    publish_until_confirmed(broker, "last")
    assert {message.id for message in queues.read()} == {"first", "last", *(f"m{number}" for number in range(20))}


def test_the_broker_timeout_bounds_the_wait_if_the_deadline_is_later(
    queues: Queues, open_broker: Open, rabbit_server: RabbitMQ
) -> None:
    broker = open_broker(queues, timeouts=Timeouts.model_validate({"broker": "300ms", "connect": "2s"}))
    publish_until_confirmed(broker, "first")
    rabbit_server.pause()
    attempt = publish(broker, "m", within=60.0)
    assert isinstance(attempt.error, OutcomeUnknown)
    assert attempt.seconds < 30.0


def test_what_a_silent_broker_has_not_confirmed_is_bounded(
    rabbit_url: str, open_broker: Open, rabbit_server: RabbitMQ
) -> None:
    queues = Queues(rabbit_url, in_flight=3)
    broker = open_broker(queues)
    publish(broker, "first")
    rabbit_server.pause()
    attempts = Crowd(broker).publish("m1", "m2", "m3", within=0.3).outcomes()
    assert {type(attempt.error) for attempt in attempts} == {OutcomeUnknown}
    turned_away = publish(broker, "m4")
    assert isinstance(turned_away.error, TooBusy)
    assert turned_away.seconds < AT_ONCE
    rabbit_server.resume()
    publish_until_confirmed(broker, "last")
    assert sorted(message.id for message in queues.read()) == ["first", "last", "m1", "m2", "m3"]
    queues.delete_all()


@pytest.mark.parametrize(("deadline", "broker_timeout"), [(0.3, "5s"), (60.0, "300ms")])
def test_a_message_whose_caller_gave_up_before_it_was_sent_is_never_sent(
    queues: Queues, open_broker: Open, rabbit_server: RabbitMQ, deadline: float, broker_timeout: str
) -> None:
    rabbit_server.pause()
    broker = open_broker(queues, timeouts=Timeouts.model_validate({"broker": broker_timeout, "connect": "5s"}))
    gave_up = publish(broker, "gave-up", within=deadline)
    assert isinstance(gave_up.error, StoreDown)
    rabbit_server.resume()
    publish_until_confirmed(broker, "last")
    assert "gave-up" not in {message.id for message in queues.read()}


def test_a_killed_broker_leaves_the_outcome_unknown_then_is_down_then_comes_back_with_all_messages(
    broker: RabbitBroker, queues: Queues, rabbit_server: RabbitMQ
) -> None:
    for number in range(5):
        assert publish(broker, f"kept{number}").error is None
    rabbit_server.pause()
    crowd = Crowd(broker).publish("lost1", "lost2")
    eventually(lambda: len(broker._in_flight._sent) == 2, what="both are sent")
    rabbit_server.kill()
    assert {type(attempt.error) for attempt in crowd.outcomes()} == {OutcomeUnknown}
    down = publish(broker, "down")
    assert isinstance(down.error, StoreDown)
    assert down.seconds < AT_ONCE
    rabbit_server.start()
    publish_until_confirmed(broker, "last")
    ids = [message.id for message in queues.read()]
    assert [one for one in ids if one.startswith("kept")] == [f"kept{number}" for number in range(5)]
    assert ids[-1] == "last"
    assert "down" not in ids


@pytest.fixture
def memory_alarm(rabbit_server: RabbitMQ) -> Iterator[RabbitMQ]:
    """A broker that may use no more than a byte."""
    rabbit_server.ctl("set_vm_memory_high_watermark", "absolute", "1")
    yield rabbit_server
    rabbit_server.ctl("set_vm_memory_high_watermark", "0.6")


def test_under_a_memory_alarm_new_messages_fail_at_once_until_it_is_over(
    broker: RabbitBroker, queues: Queues, memory_alarm: RabbitMQ
) -> None:
    # RabbitMQ tells a connection that it is blocked when it publishes for the first time.
    assert isinstance(publish(broker, "first", within=1.0).error, OutcomeUnknown)
    refused = publish(broker, "refused")
    assert isinstance(refused.error, StoreDown)
    assert refused.seconds < AT_ONCE
    assert "memory" in str(refused.error)
    memory_alarm.ctl("set_vm_memory_high_watermark", "0.6")
    publish_until_confirmed(broker, "last")
    assert [message.id for message in queues.read()] == ["first", "last"]


@pytest.mark.parametrize(
    ("of_the_url", "instead", "what"),
    [
        ("guest:guest@", "guest:s3cret-word@", "refused the user name or the password"),
        ("/%2F", "/no-such-host", "refused the virtual host"),
    ],
)
def test_a_refused_login_says_why_and_nowhere_names_the_password(
    queues: Queues, open_broker: Open, caplog: pytest.LogCaptureFixture, of_the_url: str, instead: str, what: str
) -> None:
    caplog.set_level(logging.DEBUG)
    refused = publish(open_broker(queues, url=queues.url.replace(of_the_url, instead)), "m")
    assert isinstance(refused.error, StoreDown)
    assert what in str(refused.error)
    eventually(lambda: what in caplog.text)
    assert "s3cret-word" not in caplog.text + str(refused.error) + repr(refused.error.__cause__)


def test_with_nothing_listening_callers_are_told_at_once(queues: Queues, open_broker: Open) -> None:
    broker = open_broker(queues, url=f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    for number in range(3):
        attempt = publish(broker, f"m{number}")
        assert isinstance(attempt.error, StoreDown)
        assert "Connection refused" in str(attempt.error)
        assert attempt.seconds < AT_ONCE


def test_a_broker_that_is_down_is_logged_once_for_each_reason(
    queues: Queues, open_broker: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "seckill_sidecar")
    publish(open_broker(queues, url=f"amqp://guest:guest@127.0.0.1:{free_port()}/"), "m")

    def told(level: int) -> list[str]:
        return [
            record.message for record in caplog.records if record.levelno == level and "next attempt" in record.message
        ]

    eventually(lambda: len(told(logging.DEBUG)) >= 2)
    assert len(told(logging.WARNING)) == 1


def test_a_hundred_reconnects_leave_no_file_descriptor_behind(broker: RabbitBroker, queues: Queues) -> None:
    publish_until_confirmed(broker, "first")
    before = open_files()
    for number in range(100):
        queues.delete_exchange()
        publish(broker, f"lost{number}")
        publish_until_confirmed(broker, f"m{number}")
    eventually(lambda: open_files() <= before, what=f"not more than {before} open files")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
