"""``parked list|show|retry|refund|collect``: what an operator does about messages that could not be written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BadMessage, StoreError, Unwritable, UsageError
from seckill_sidecar.model import Event, State
from seckill_sidecar.ports import Consumer, Ledger, OrdersDb, Parked, ParkedState

_SECONDS = 10.0
_AT_ONCE = 100
_LINGER = 1.0
_COLLECTED = "dead-lettered by RabbitMQ; the writer's log says why, under this message's id"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``parked``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="what waits to be dealt with")
    listed.add_argument("--all", action="store_true", help="also what was dealt with")
    listed.add_argument("--json", action="store_true", help="as JSON, for programs")
    actions.add_parser("show", help="one message with its body").add_argument("id", type=int)
    retry = actions.add_parser("retry", help="write it again, its cause being mended")
    which = retry.add_mutually_exclusive_group(required=True)
    which.add_argument("id", type=int, nargs="?")
    which.add_argument("--all", action="store_true", help="all but late payments")
    retry.add_argument("--by-hand", action="store_true", help="a late payment: a unit was sold by hand, so close it")
    actions.add_parser("refund", help="undo its order: units back on sale, on_cancelled run").add_argument(
        "id", type=int
    )
    actions.add_parser("collect", help="take what lies in RabbitMQ's parked queue into the table")
    for action_parser in actions.choices.values():
        action_parser.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help="the YAML")


@dataclass(frozen=True, slots=True)
class ParkedQueue:
    """RabbitMQ's own parked queue: how many messages lie in it, and how to receive them."""

    depth: Callable[[], int]
    consumer: Callable[[], Consumer]


class ParkedMessages:
    """Carries the commands out. Each returns what to print and the exit code."""

    def __init__(self, orders: OrdersDb, ledger: Callable[[], Ledger], queue: ParkedQueue | None, clock: Clock) -> None:
        self._orders = orders
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def run(self, arguments: argparse.Namespace) -> tuple[str, int]:
        """Do what the command line says. Raises ``UsageError``, ``StoreError``."""
        match arguments.action:
            case "list":
                return self.list(arguments.all, arguments.json), 0
            case "show":
                return _shown(self._find(arguments.id)), 0
            case "retry":
                return self.retry_all() if arguments.all else self.retry(arguments.id, arguments.by_hand)
            case "refund":
                return self.refund(arguments.id), 0
        return self.collect()

    def list(self, everything: bool, as_json: bool) -> str:
        """What waits, or all."""
        found = [parked for parked in self._orders.parked() if everything or parked.state.waits]
        in_broker = self._depth()
        if as_json:
            return json.dumps({"parked": [_fields(parked) for parked in found], "in_broker": in_broker})
        lines = [
            f"{parked.id}  {parked.state}  {parked.order_id or parked.message_id}  {parked.reason}" for parked in found
        ]
        lying = "unknown how many" if in_broker is None else in_broker
        lines.append(f"{len(found)} in the database, {lying} in RabbitMQ's parked queue")
        if in_broker:
            lines.append("take those in with: seckill-sidecar parked collect")
        return "\n".join(lines)

    def _depth(self) -> int | None:
        """None while RabbitMQ can't be asked: what is in the table can be seen to all the same."""
        try:
            return self._queue.depth() if self._queue is not None else 0
        except StoreError:
            return None

    def retry_all(self) -> tuple[str, int]:
        """Every message that waits, the oldest first, but late payments."""
        waiting = [parked for parked in self._orders.parked() if parked.state is ParkedState.PARKED]
        outcomes = [self.retry(parked.id, by_hand=False) for parked in waiting]
        return "\n".join(text for text, _ in outcomes) or "nothing waits", max(
            (code for _, code in outcomes), default=0
        )

    def retry(self, number: int, by_hand: bool) -> tuple[str, int]:
        """Write a message again; 1 if it still can't be written."""
        parked = self._find(number)
        if not parked.state.waits:
            return f"{number} was {parked.state} already", 0
        if parked.state is ParkedState.LATE_PAYMENT and not by_hand:
            raise UsageError(
                f"{number} is a late payment, and changes no row: refund it, or, when a unit was sold by hand, "
                f"close it: seckill-sidecar parked retry {number} --by-hand"
            )
        try:
            if parked.state is ParkedState.PARKED:
                self._orders.write([Event.decode(parked.body)])
        except (BadMessage, Unwritable) as error:
            reason = error.what if isinstance(error, Unwritable) else str(error)
            self._orders.explain_parked(number, reason)
            return f"{number} still can't be written: {reason}", 1
        self._orders.resolve_parked(number, self._now_ms())
        return f"{number} is written" if parked.state is ParkedState.PARKED else f"{number} is closed", 0

    def refund(self, number: int) -> str:
        """Undo an order: in the ledger first, so that nobody can pay for it any more."""
        parked = self._find(number)
        if parked.state is ParkedState.RETRIED:
            raise UsageError(f"{number} was dealt with already; to undo its order: seckill-sidecar order cancel …")
        try:
            event = Event.decode(parked.body)
        except BadMessage as error:
            raise UsageError(f"what order {number} is about can't be read ({error}); nothing to refund") from error
        state = self._undo(event) if parked.state is ParkedState.PARKED else event.order.state
        if not self._orders.refund(parked, state, self._now_ms()):
            return f"{number} was refunded already"
        kept = "; the ledger has it as paid, its units stay sold" if state is State.PAID else ""
        return f"{number}: order {event.order.id} is refunded{kept}"

    def collect(self) -> tuple[str, int]:
        """Take messages from RabbitMQ's parked queue into the table; 1 if it does not take them all."""
        if self._queue is None:
            raise UsageError("with stores.broker none there is no parked queue: all that is parked is in the table")
        consumer = self._queue.consumer()
        taken = left = 0
        try:
            while deliveries := consumer.receive(_AT_ONCE, _LINGER):
                for delivery in deliveries:
                    message = Parked(delivery.message_id, _COLLECTED, delivery.body, self._now_ms())
                    try:
                        self._orders.park(message)
                    except Unwritable:
                        left += 1  # unanswered, so that it comes back when we disconnect, and not before
                        continue
                    consumer.ack([delivery])
                    taken += 1
        finally:
            consumer.close()
        rest = f"; {left} stay there, since the database does not take them" if left else ""
        return f"{taken} taken from RabbitMQ's parked queue{rest}", 1 if left else 0

    def _undo(self, event: Event) -> State:
        """Cancel the order in the ledger if it is held; where it stands then."""
        deadline = Deadline.after(_SECONDS, self._clock)
        settled = self._ledger().settle(event.order.id, State.CANCELLED, "refunded", deadline)
        return settled.order.state if settled.order is not None else State.CANCELLED

    def _find(self, number: int) -> Parked:
        parked = self._orders.parked_message(number)
        if parked is None:
            raise UsageError(f"there is no parked message {number}; see: seckill-sidecar parked list --all")
        return parked

    def _now_ms(self) -> int:
        return int(self._clock.wall() * 1000)


def _fields(parked: Parked) -> dict[str, object]:
    return {
        "id": parked.id,
        "state": parked.state.value,
        "order_id": parked.order_id,
        "message_id": parked.message_id,
        "reason": parked.reason,
        "at_ms": parked.at_ms,
        "resolved_at_ms": parked.resolved_at_ms,
    }


def _shown(parked: Parked) -> str:
    fields = _fields(parked) | {"at": datetime.fromtimestamp(parked.at_ms / 1000, UTC).isoformat(timespec="seconds")}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\n".join([*lines, "body:", parked.body.decode("utf-8", "backslashreplace")])
