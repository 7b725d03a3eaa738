"""Faults of RabbitMQ."""

from __future__ import annotations

import re

import pika
from stack import Server

from faults.kinds.fault import Fault, Pausing
from faults.stage import EXCHANGE, ORDERS_QUEUE


class Unbound(Fault):
    """The orders queue is unbound: every message comes back as unroutable."""

    name = "broker-unbound"

    def inject(self) -> None:
        with self.stage.channel() as channel:
            channel.queue_unbind(ORDERS_QUEUE, EXCHANGE, ORDERS_QUEUE)

    def heal(self) -> None:
        self.left = self.stage.shelf.progress(self.plan.sku)[0]
        with self.stage.channel() as channel:
            channel.queue_bind(ORDERS_QUEUE, EXCHANGE, ORDERS_QUEUE)

    def happened(self) -> int:
        return self.left


class QueueFull(Unbound):
    """The queue takes ten messages and refuses the others; there are no writers."""

    name = "broker-queue-full"
    lasts = (1.5, 2.5)

    def prepare(self) -> None:
        policy = '{"max-length": 10, "overflow": "reject-publish"}'
        self.stage.rabbit.ctl("set_policy", "full", f"^{re.escape(ORDERS_QUEUE)}$", policy, "--apply-to", "queues")

    def inject(self) -> None:
        # Not paused: the broker would push all that comes to them, and the queue never fill.
        for writer in self.stage.writers:
            writer.kill()

    def heal(self) -> None:
        self.left = self.stage.shelf.progress(self.plan.sku)[0]
        for writer in self.stage.writers:
            writer.start()
        self.stage.rabbit.ctl("clear_policy", "full")


class MemoryAlarm(Unbound):
    """The broker has no memory left and takes nothing from publishers."""

    name = "broker-memory-alarm"
    slow = True

    def inject(self) -> None:
        self.stage.rabbit.ctl("set_vm_memory_high_watermark", "0.0000001")

    def heal(self) -> None:
        self.left = self.stage.shelf.progress(self.plan.sku)[0]
        self.stage.rabbit.ctl("set_vm_memory_high_watermark", "0.4")


class Poisoned(Fault):
    """Messages that nobody can read, and of a version that is not yet."""

    name = "broker-poison"
    messages = (b"", b"\x00\xff", b"{", b"[]", b'{"v": 99, "event": "accepted"}', b'{"v": 1, "event": "accepted"}')

    def inject(self) -> None:
        self.mark = f"poison-{self.plan.sku}"
        with self.stage.channel() as channel:
            channel.confirm_delivery()
            for no, body in enumerate(self.messages):
                properties = pika.BasicProperties(message_id=f"{self.mark}-{no}:1", delivery_mode=2)
                channel.basic_publish(EXCHANGE, ORDERS_QUEUE, body, properties, mandatory=True)

    def heal(self) -> None:
        """The writer parks them by itself."""

    def happened(self) -> int:
        parked = len([one for one in self.stage.shelf.parked() if one.startswith(self.mark)])
        return parked if parked == len(self.messages) else 0


class Paused(Pausing):
    """SIGSTOP for some seconds."""

    name = "broker-paused"

    @property
    def victim(self) -> Server:
        return self.stage.rabbit


class Killed(Fault):
    """kill -9, and started again."""

    name = "broker-killed"

    def inject(self) -> None:
        self.before = self.stage.rabbit.pid
        self.stage.rabbit.kill()

    def heal(self) -> None:
        self.stage.rabbit.start()

    def happened(self) -> int:
        return int(self.stage.rabbit.pid != self.before)


KINDS: list[type[Fault]] = [Unbound, Poisoned, MemoryAlarm, QueueFull, Paused, Killed]
