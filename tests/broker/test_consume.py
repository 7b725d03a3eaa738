"""Consuming: batches, acknowledgements, parking, and what a lost connection means."""

from __future__ import annotations

import time

import pytest
from broker_words import (
    BODY,
    CLOCK,
    UNHURRIED,
    Open,
    OpenConsumer,
    Queues,
    expect_nothing,
    publish,
    publish_until_confirmed,
    receive,
)
from stack import RabbitMQ, eventually, free_port

from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.ports import Delivery

pytestmark = pytest.mark.gevent_too

LONG = 30.0
"""A linger that no test waits out."""


def fill(broker: RabbitBroker, count: int) -> list[str]:
    """Publish so many messages; return their ids."""
    ids = [f"m{number}" for number in range(count)]
    assert all(publish(broker, one).error is None for one in ids)
    return ids


def ids_of(deliveries: list[Delivery]) -> list[str]:
    return [delivery.message_id for delivery in deliveries]


def test_a_delivery_carries_what_was_published(broker: RabbitBroker, consumer: RabbitConsumer) -> None:
    broker.publish("m", BODY, Deadline.after(5.0, CLOCK), "00-trace")
    [delivery] = receive(consumer, 1)
    assert (delivery.message_id, delivery.body, delivery.traceparent) == ("m", BODY, "00-trace")
    assert not delivery.redelivered


def test_as_many_as_asked_for_come_without_waiting_for_more(broker: RabbitBroker, consumer: RabbitConsumer) -> None:
    ids = fill(broker, 7)
    assert ids_of(consumer.receive(5, LONG)) == ids[:5]
    assert ids_of(consumer.receive(2, LONG)) == ids[5:]


def test_fewer_come_when_the_linger_is_over_and_none_from_an_empty_queue(
    broker: RabbitBroker, consumer: RabbitConsumer
) -> None:
    expect_nothing(consumer)
    ids = fill(broker, 3)
    assert ids_of(receive(consumer, 3)) == ids
    expect_nothing(consumer)


def test_no_more_than_prefetch_are_unacknowledged(
    broker: RabbitBroker, queues: Queues, open_consumer: OpenConsumer
) -> None:
    consumer = open_consumer(queues, prefetch=4)
    fill(broker, 6)
    first = receive(consumer, 4)
    expect_nothing(consumer)
    consumer.ack(first)
    assert len(receive(consumer, 2)) == 2


def test_what_is_acknowledged_is_gone_and_the_rest_comes_back(
    broker: RabbitBroker, queues: Queues, open_consumer: OpenConsumer
) -> None:
    consumer = open_consumer(queues)
    ids = fill(broker, 500)
    deliveries = receive(consumer, 500)
    consumer.ack(deliveries[:300])
    consumer.close()
    eventually(lambda: queues.depth() == 200)
    again = receive(open_consumer(queues), 200)
    assert ids_of(again) == ids[300:]
    assert all(delivery.redelivered for delivery in again)


def test_a_batch_with_a_hole_leaves_the_hole(broker: RabbitBroker, queues: Queues, open_consumer: OpenConsumer) -> None:
    consumer = open_consumer(queues)
    fill(broker, 10)
    deliveries = receive(consumer, 10)
    consumer.ack([*deliveries[:4], *deliveries[6:]])
    consumer.close()
    assert ids_of(receive(open_consumer(queues), 2)) == ["m4", "m5"]


def test_a_rejected_message_is_parked_and_does_not_hold_up_its_batch(
    broker: RabbitBroker, queues: Queues, consumer: RabbitConsumer
) -> None:
    fill(broker, 5)
    deliveries = receive(consumer, 5)
    consumer.reject(deliveries[2], "item: no such column")
    consumer.ack([*deliveries[:2], *deliveries[3:]])
    eventually(lambda: queues.depth(queues.settings.parked) == 1)
    [parked] = queues.read(queues.settings.parked)
    assert parked.id == "m2"
    assert parked.properties.headers["x-death"][0]["reason"] == "rejected"
    consumer.close()
    assert queues.depth() == 0


def test_quorum_queues_deliver_and_park_alike(rabbit_url: str, open_broker: Open, open_consumer: OpenConsumer) -> None:
    queues = Queues(rabbit_url, quorum=True)
    publish_until_confirmed(open_broker(queues), "m")
    consumer = open_consumer(queues)
    consumer.reject(receive(consumer, 1)[0], "no such column")
    eventually(lambda: [message.id for message in queues.read(queues.settings.parked)] == ["m"])
    queues.delete_all()


def test_a_released_message_is_delivered_again_as_such(broker: RabbitBroker, consumer: RabbitConsumer) -> None:
    ids = fill(broker, 3)
    consumer.release(receive(consumer, 3))
    again = receive(consumer, 3)
    assert ids_of(again) == ids
    assert all(delivery.redelivered for delivery in again)


def test_the_connection_outlives_a_writer_that_is_busy_for_several_heartbeats(
    rabbit_url: str, open_consumer: OpenConsumer
) -> None:
    queues = Queues(rabbit_url, heartbeat="1s")
    consumer = open_consumer(queues)
    expect_nothing(consumer)
    broker = RabbitBroker(rabbit_url, queues.settings, UNHURRIED, CLOCK, "test")
    fill(broker, 2)
    broker.close()
    deliveries = receive(consumer, 2)
    time.sleep(5.0)  # the writer is in the database: RabbitMQ drops a peer after two or three silent heartbeats
    consumer.ack(deliveries)
    consumer.close()
    assert queues.depth() == 0
    queues.delete_all()


def test_after_the_broker_was_killed_the_unacknowledged_come_again_and_old_answers_do_not_count(
    broker: RabbitBroker, queues: Queues, consumer: RabbitConsumer, rabbit_server: RabbitMQ
) -> None:
    ids = fill(broker, 3)
    before = receive(consumer, 3)
    rabbit_server.kill()
    with pytest.raises(StoreDown):
        eventually(lambda: consumer.receive(1, 0.1))
    rabbit_server.start()
    after = receive(consumer, 3, within=40.0)
    assert ids_of(after) == ids
    with pytest.raises(StoreDown, match="3 deliveries"):
        consumer.ack(before)
    with pytest.raises(StoreDown):
        consumer.reject(before[0], "late")
    consumer.release(before)
    consumer.ack(after)
    consumer.close()
    assert queues.depth() == queues.depth(queues.settings.parked) == 0


def test_a_paused_broker_delivers_on_when_it_is_resumed(
    broker: RabbitBroker, consumer: RabbitConsumer, rabbit_server: RabbitMQ
) -> None:
    fill(broker, 1)
    first = receive(consumer, 1)
    rabbit_server.pause()
    expect_nothing(consumer)
    consumer.ack(first)
    rabbit_server.resume()
    publish_until_confirmed(broker, "last")
    assert ids_of(receive(consumer, 1)) == ["last"]


def test_a_deleted_queue_is_declared_again_and_consumed(
    broker: RabbitBroker, queues: Queues, consumer: RabbitConsumer
) -> None:
    fill(broker, 1)
    consumer.ack(receive(consumer, 1))
    queues.delete_queue()
    with pytest.raises(StoreDown, match="is gone"):
        eventually(lambda: consumer.receive(1, 0.0))
    publish_until_confirmed(broker, "last")
    assert ids_of(receive(consumer, 1)) == ["last"]


def test_what_it_had_taken_in_of_a_deleted_queue_is_handed_out_all_the_same(
    broker: RabbitBroker, queues: Queues, consumer: RabbitConsumer
) -> None:
    ids = fill(broker, 5)
    first = receive(consumer, 1)
    eventually(lambda: queues.depth() == 0)
    queues.delete_queue()
    rest = receive(consumer, 4)
    assert ids_of(first) + ids_of(rest) == ids
    consumer.ack(rest)  # nobody is left to be answered
    expect_nothing(consumer)


def test_the_first_receive_raises_if_there_is_nothing_to_connect_to(
    queues: Queues, open_consumer: OpenConsumer
) -> None:
    consumer = open_consumer(queues, url=f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    with pytest.raises(StoreDown, match="Connection refused"):
        consumer.receive(1, 0.1)


def test_a_closed_consumer_says_so(queues: Queues, open_consumer: OpenConsumer) -> None:
    consumer = open_consumer(queues)
    expect_nothing(consumer)
    consumer.close()
    consumer.close()
    with pytest.raises(StoreDown, match="closed"):
        consumer.receive(1, 0.1)
