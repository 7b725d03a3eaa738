"""What a RabbitMQ tells before a sale: whether everything is as the program declares it, and whether it confirms.

Nothing is made but a queue that belongs to the connection that asks, and goes with it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika.exceptions import AMQPError, ChannelClosedByBroker

from seckill_sidecar.adapters.broker import faults, question, topology
from seckill_sidecar.adapters.broker.depth import queue_state
from seckill_sidecar.adapters.broker.question import Ask
from seckill_sidecar.adapters.broker.target import Target, target
from seckill_sidecar.errors import StoreError
from seckill_sidecar.ports import BrokerVitals
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_NOT_FOUND = 404
Tell = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class _Declared:
    """One exchange or queue: how to see whether it is there, and to declare it as the program does."""

    name: str
    there: Ask
    declare: Ask


def examine_broker(url: str, settings: BrokerSettings, timeouts: Timeouts, name: str) -> BrokerVitals:
    """Ask everything, a connection for each question. Raises ``StoreError`` if the broker can't be asked at all."""
    where = target(url, settings, timeouts, name)
    asking = _Asking(where, timeouts.connect + timeouts.broker)
    product, version = asking.ask(lambda channel, tell: tell(_server(channel)))
    undeclared, unlike = [], []
    for declared in _topology(settings):
        if asking.refusal(declared.there, _NOT_FOUND):
            undeclared.append(declared.name)
        # Declaring what is there changes nothing: it is accepted as it is, or refused.
        elif why := asking.refusal(declared.declare):
            unlike.append(why)
    return BrokerVitals(
        server=f"{product} {version}",
        version=tuple(int(part) for part in re.findall(r"\d+", version)[:2]),
        undeclared=tuple(undeclared),
        unlike=tuple(unlike),
        unconfirmed="" if settings.exchange in undeclared else asking.confirm(settings),
        orders=queue_state(url, settings, timeouts, name, settings.queue),
        parked=queue_state(url, settings, timeouts, name, settings.parked),
    )


class _Asking:
    """Questions to one broker, whose errors become ours."""

    def __init__(self, where: Target, seconds: float) -> None:
        self._where = where
        self._seconds = seconds

    def ask(self, ask: Ask) -> Any:
        try:
            return question.put(self._where, self._seconds, ask)
        except (AMQPError, OSError) as error:
            raise faults.lost(error, self._where.address).error() from error

    def refusal(self, ask: Ask, code: int = 0) -> str:
        """Why the broker refused that, with this code if one is given; empty if it did not."""
        try:
            question.put(self._where, self._seconds, ask)
        except ChannelClosedByBroker as error:
            return str(error.reply_text) if code in (0, error.reply_code) else ""
        except (AMQPError, OSError) as error:
            raise faults.lost(error, self._where.address).error() from error
        return ""

    def confirm(self, settings: BrokerSettings) -> str:
        """Why a message through the exchange was not confirmed; empty if it was."""
        try:
            return str(self.ask(_publish(settings)))
        except StoreError as error:
            return error.what


def _server(channel: Any) -> tuple[str, str]:
    told = channel.connection.server_properties or {}
    return str(told.get("product", "what answers")), str(told.get("version", "?"))


def _topology(settings: BrokerSettings) -> Iterator[_Declared]:
    for exchange in (settings.parked, settings.exchange):
        yield _exchange(exchange)
    yield _queue(settings.parked, topology.parked_arguments(settings))
    yield _queue(settings.queue, topology.orders_arguments(settings))


def _exchange(name: str) -> _Declared:
    return _Declared(
        name,
        lambda channel, tell: channel.exchange_declare(name, passive=True, callback=tell),
        lambda channel, tell: channel.exchange_declare(name, "direct", durable=True, callback=tell),
    )


def _queue(name: str, arguments: dict[str, Any]) -> _Declared:
    return _Declared(
        name,
        lambda channel, tell: channel.queue_declare(name, passive=True, callback=tell),
        lambda channel, tell: channel.queue_declare(name, durable=True, arguments=arguments, callback=tell),
    )


def _publish(settings: BrokerSettings) -> Ask:
    """A message through the exchange that orders go through, to a queue that only this question has."""
    probe = f"{settings.queue}.probe-{secrets.token_hex(8)}"

    def ask(channel: Any, tell: Tell) -> None:
        channel.connection.add_on_connection_blocked_callback(
            lambda _, frame: tell(f"an alarm is on ({frame.method.reason}), so it takes no messages")
        )
        channel.queue_declare(probe, exclusive=True, auto_delete=True)
        channel.queue_bind(probe, settings.exchange, probe)
        # Comes before the confirm, which would read as success.
        channel.add_on_return_callback(lambda *_: tell("it came back: no queue took it"))
        channel.confirm_delivery(
            lambda frame: tell("" if "Ack" in type(frame.method).__name__ else "it was refused (nack)"),
            callback=lambda _: channel.basic_publish(
                settings.exchange,
                probe,
                b"probe",
                BasicProperties(delivery_mode=DeliveryMode.Persistent),
                mandatory=True,
            ),
        )

    return ask
