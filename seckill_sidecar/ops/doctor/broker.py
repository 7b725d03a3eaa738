"""Whether a RabbitMQ keeps the orders: all is as the program declares it, it confirms, and somebody takes them."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ports import BrokerVitals
from seckill_sidecar.settings.schema import BrokerSettings

_RABBITMQ = Subject("rabbitmq")
_OLDEST = (3, 10)
_CROWDED = 0.5


def judge(vitals: BrokerVitals, settings: BrokerSettings) -> Iterator[Finding]:
    """Everything about one broker."""
    yield _version(vitals)
    yield from _topology(vitals)
    yield _confirms(vitals, settings)
    yield _writers(vitals)
    yield _backlog(vitals, settings)
    yield _parked(vitals)


def _version(vitals: BrokerVitals) -> Finding:
    if vitals.version < _OLDEST:
        return _RABBITMQ.fail("version", f"{vitals.server} is too old", "take RabbitMQ 3.10 or later")
    return _RABBITMQ.ok("version", vitals.server)


def _topology(vitals: BrokerVitals) -> Iterator[Finding]:
    for why in vitals.unlike:
        yield _RABBITMQ.fail(
            "topology",
            f"{why}; so neither sidecar nor writer can use it",
            "set the broker section back to what is there; or, once it is empty, delete it (rabbitmqctl delete_queue "
            "NAME) and it is declared anew",
        )
    if vitals.undeclared:
        yield _RABBITMQ.warn(
            "topology",
            f"not declared yet: {', '.join(vitals.undeclared)}",
            "start a writer (or the sidecar), which declares it; then ask again",
        )
    elif not vitals.unlike:
        yield _RABBITMQ.ok("topology", "exchanges and queues are as the program declares them")


def _confirms(vitals: BrokerVitals, settings: BrokerSettings) -> Finding:
    if settings.exchange in vitals.undeclared:
        return _RABBITMQ.skipped("confirms", f"there is no exchange {settings.exchange} to publish to yet")
    if vitals.unconfirmed:
        return _RABBITMQ.fail(
            "confirms",
            f"a message was not confirmed: {vitals.unconfirmed}",
            "rabbitmqctl status names alarms (memory, disk); rabbitmqctl list_permissions what this user may do",
        )
    return _RABBITMQ.ok("confirms", "a message was routed, and confirmed")


def _writers(vitals: BrokerVitals) -> Finding:
    if not vitals.orders.consumers:
        return _RABBITMQ.warn(
            "writers", "nobody takes orders from the queue: they wait there", "systemctl start seckill-writer@1"
        )
    return _RABBITMQ.ok("writers", f"{vitals.orders.consumers} connected")


def _backlog(vitals: BrokerVitals, settings: BrokerSettings) -> Finding:
    waiting = vitals.orders.messages
    says = f"{waiting:,} of {settings.max_length:,} messages wait"
    if waiting >= _CROWDED * settings.max_length:
        return _RABBITMQ.warn(
            "backlog", f"{says}: a full queue refuses more, and the ledger keeps them", "start more writers"
        )
    return _RABBITMQ.ok("backlog", says)


def _parked(vitals: BrokerVitals) -> Finding:
    if vitals.parked.messages:
        return _RABBITMQ.warn(
            "parked", f"{vitals.parked.messages} messages lie in the parked queue", "seckill-sidecar parked collect"
        )
    return _RABBITMQ.ok("parked", "no message lies in the parked queue")
