"""Publishing to a RabbitMQ that is well: every outcome that it may give."""

from __future__ import annotations

import threading

import pytest
from broker_words import (
    BODY,
    CLOCK,
    UNHURRIED,
    Crowd,
    Open,
    Queues,
    publish,
    publish_until_confirmed,
)

from seckill_sidecar.adapters.broker import RabbitBroker
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, QueueFull, StoreDown, StoreError, Unroutable
from seckill_sidecar.settings.schema import BrokerSettings

pytestmark = pytest.mark.gevent_too

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_confirmed_message_is_persistent_and_says_what_it_is(broker: RabbitBroker, queues: Queues) -> None:
    broker.publish("shoe~1:1", BODY, Deadline.after(5.0, CLOCK), TRACEPARENT)
    [message] = queues.read()
    properties = message.properties
    assert (message.id, message.body) == ("shoe~1:1", BODY)
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
    assert properties.headers == {"x-seckill-schema": 1, "traceparent": TRACEPARENT}
    assert abs(properties.timestamp - CLOCK.wall()) < 60


def test_without_a_traceparent_none_is_sent(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "m")
    assert queues.read()[0].properties.headers == {"x-seckill-schema": 1}


def test_nothing_is_connected_before_the_first_message(open_broker: Open, queues: Queues) -> None:
    before = threading.active_count()
    broker = open_broker(queues)
    assert threading.active_count() == before
    publish(broker, "m")
    assert threading.active_count() == before + 1


def test_each_of_a_hundred_concurrent_callers_gets_its_own_confirm(broker: RabbitBroker, queues: Queues) -> None:
    ids = [f"m{number}" for number in range(100)]
    assert [attempt.error for attempt in Crowd(broker).publish(*ids).outcomes()] == [None] * 100
    assert sorted(message.id for message in queues.read()) == sorted(ids)


def test_a_message_without_a_queue_is_unroutable_until_it_has_one(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "first")
    queues.unbind()
    attempts = Crowd(broker).publish(*(f"m{number}" for number in range(50))).outcomes()
    assert {type(attempt.error) for attempt in attempts} == {Unroutable}
    queues.bind()
    assert publish(broker, "last").error is None
    assert [message.id for message in queues.read()] == ["first", "last"]


def test_two_unroutable_messages_with_one_id_are_both_told(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "first")
    queues.unbind()
    attempts = Crowd(broker).publish(*["same"] * 20).outcomes()
    assert {type(attempt.error) for attempt in attempts} == {Unroutable}


def test_a_full_queue_refuses_and_keeps_what_it_has(rabbit_url: str, open_broker: Open) -> None:
    queues = Queues(rabbit_url, max_length=2)
    broker = open_broker(queues)
    attempts = [publish(broker, f"m{number}") for number in range(4)]
    assert [type(attempt.error) for attempt in attempts] == [type(None), type(None), QueueFull, QueueFull]
    assert queues.settings.queue in str(attempts[2].error)
    assert [message.id for message in queues.read()] == ["m0", "m1"]
    assert publish(broker, "m4").error is None
    queues.delete_all()


def test_a_deleted_exchange_fails_who_waits_and_is_declared_again(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "first")
    queues.delete_exchange()
    lost = publish(broker, "lost")
    assert isinstance(lost.error, OutcomeUnknown)
    assert "no exchange" in str(lost.error)
    publish_until_confirmed(broker, "last")
    assert [message.id for message in queues.read()] == ["first", "last"]


def test_a_deleted_queue_is_declared_again_at_the_next_connection(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "first")
    queues.delete_queue()
    assert isinstance(publish(broker, "unroutable").error, Unroutable)
    queues.delete_exchange()
    publish(broker, "lost")
    publish_until_confirmed(broker, "last")
    assert [message.id for message in queues.read()] == ["last"]


def test_after_the_deadline_nothing_is_sent(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "first")
    assert isinstance(publish(broker, "late", within=0.0).error, DeadlinePassed)
    publish(broker, "last")
    assert [message.id for message in queues.read()] == ["first", "last"]


def test_a_message_sent_twice_arrives_twice_under_one_id(broker: RabbitBroker, queues: Queues) -> None:
    publish(broker, "same")
    publish(broker, "same")
    assert [message.id for message in queues.read()] == ["same", "same"]


def test_closing_waits_for_what_is_under_way(open_broker: Open, queues: Queues) -> None:
    broker = open_broker(queues)
    publish(broker, "first")
    crowd = Crowd(broker).publish(*(f"m{number}" for number in range(20)))
    broker.close()
    confirmed = {attempt.id for attempt in crowd.outcomes() if attempt.error is None}
    assert {message.id for message in queues.read()} == confirmed | {"first"}
    assert all(isinstance(attempt.error, StoreDown) for attempt in crowd.attempts if attempt.error)


def test_a_closed_broker_says_so_however_often_it_is_closed(open_broker: Open, queues: Queues) -> None:
    broker = open_broker(queues)
    publish(broker, "first")
    threads = threading.active_count()
    broker.close()
    broker.close()
    assert isinstance(publish(broker, "late").error, StoreDown)
    assert threading.active_count() == threads - 1


def test_other_arguments_than_before_are_named_with_their_remedy(
    broker: RabbitBroker, queues: Queues, open_broker: Open
) -> None:
    publish(broker, "first")
    other = Queues(queues.url, queue=queues.settings.queue, parked=queues.settings.parked, max_length=7)
    refused = publish(open_broker(other), "m").error
    assert isinstance(refused, StoreDown)
    assert queues.settings.queue in str(refused)
    assert "x-max-length" in str(refused)
    assert "rabbitmqctl delete_queue" in str(refused)


@pytest.mark.parametrize("url", ["redis://127.0.0.1", "amqp://guest:s3cret@127.0.0.1:notaport/", "nonsense"])
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(StoreError, match="URL can't be read") as refusal:
        RabbitBroker(url, BrokerSettings(), UNHURRIED, CLOCK, "test")
    assert "s3cret" not in str(refusal.value)
