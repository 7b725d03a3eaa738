"""RabbitMQ, by pika: the gate's publishing side and the writer's consuming side.

    caller ─ hand_over ─► InFlight ─ take ─► PublishSession ═► RabbitMQ ═► ConsumeSession ─► Inbox ─ take ─► writer
    caller ◄─ settle ──── InFlight ◄─ confirm ──┘                              ▲ ◄───────── ack, reject, release ─┘

On each side one ``Keeper`` owns one thread (under gevent: greenlet), in which all of pika runs. It keeps one
``Session`` alive, that is one connection with one channel: it connects, serves, and connects again. Everybody else
talks to that thread through a small locked structure, ``InFlight`` or ``Inbox``, and never touches pika.

pika logs every refused connection five times over, with tracebacks; this package says the same once, in a line.
It leaves pika's loggers alone all the same, as a site that wraps its own application may use pika itself. A process
that is all ours calls ``quiet_pika`` when it sets up its log.
"""

from seckill_sidecar.adapters.broker.consumer import RabbitConsumer
from seckill_sidecar.adapters.broker.depth import queue_state
from seckill_sidecar.adapters.broker.examination import examine_broker
from seckill_sidecar.adapters.broker.faults import quiet_pika
from seckill_sidecar.adapters.broker.publisher import RabbitBroker
from seckill_sidecar.adapters.broker.topology import declare_topology

__all__ = ["RabbitBroker", "RabbitConsumer", "declare_topology", "examine_broker", "queue_state", "quiet_pika"]
