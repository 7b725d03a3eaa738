"""``order show|pay|cancel ID``: what an operator does to one order by hand.

Exit code 0 if it stands as wanted, 3 if there is no such order, 4 if another final state stands, 5 if it was paid
too late. The relay hands the event off.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime

from seckill_sidecar.errors import UsageError
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.settle import Settler, Wish
from seckill_sidecar.model import ORDER_ID, Order, Settled, Settlement, State

_SECONDS = 10.0
_STATES = {"pay": State.PAID, "cancel": State.CANCELLED}
_LONGEST_REASON = 200
_EXIT_CODES = {
    Settlement.SETTLED: 0,
    Settlement.ALREADY: 0,
    Settlement.UNKNOWN_ORDER: 3,
    Settlement.REFUSED: 4,
    Settlement.LATE: 5,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``order``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, what in (
        ("show", "one order as it stands"),
        ("pay", "it is paid: its units are its buyer's"),
        ("cancel", "give its units back"),
    ):
        sub = actions.add_parser(action, help=what, description=what)
        sub.add_argument("order", metavar="ID")
        sub.add_argument("--json", action="store_true", help="as JSON, for programs")
        # May stand before or after the action; without a default, so that one does not undo the other.
        sub.add_argument("-c", "--config", default=argparse.SUPPRESS, metavar="FILE", help="the YAML")
        if action in _STATES:
            sub.add_argument("--reason", default="by hand", help="kept with the event")


class Orders:
    """Carries the commands out."""

    def __init__(self, settler: Settler, look_up: LookUp) -> None:
        self._settler = settler
        self._look_up = look_up

    def run(self, arguments: argparse.Namespace) -> tuple[str, int]:
        """Do what the command line says; what to print, and the exit code. Raises ``UsageError``, ``StoreError``."""
        if ORDER_ID.fullmatch(arguments.order) is None:
            raise UsageError(
                f"{arguments.order[:100]!r} is no order id; one looks like sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM"
            )
        settled = self._show(arguments.order) if arguments.action == "show" else self._settle(arguments)
        text = _as_json(settled) if arguments.json else _for_people(settled, arguments)
        return text, _EXIT_CODES[settled.outcome]

    def _show(self, order_id: str) -> Settled:
        order = self._look_up.find(order_id, _SECONDS, final=False)
        return Settled(Settlement.ALREADY if order is not None else Settlement.UNKNOWN_ORDER, order)

    def _settle(self, arguments: argparse.Namespace) -> Settled:
        reason = arguments.reason
        if len(reason) > _LONGEST_REASON or not reason.isprintable():
            raise UsageError(f"--reason has to be {_LONGEST_REASON} printable characters at most")
        settled = self._settler.settle(Wish(arguments.order, _STATES[arguments.action], reason), _SECONDS)
        if settled.outcome is not Settlement.UNKNOWN_ORDER:
            return settled
        found = self._look_up.find(arguments.order, _SECONDS, final=False)
        return Settled(Settlement.UNKNOWN_ORDER if found is None else Settlement.REFUSED, found)


def _as_json(settled: Settled) -> str:
    order = asdict(settled.order) if settled.order is not None else None
    return json.dumps({"outcome": settled.outcome.value, "order": order})


def _for_people(settled: Settled, arguments: argparse.Namespace) -> str:
    order = settled.order
    if order is None:
        return f"there is no order {arguments.order}: neither ledger nor database has it"
    what = f"{order.id}: {order.quantity} x {order.item} for {order.buyer!r}, {_standing(order)}"
    match settled.outcome:
        case Settlement.REFUSED:
            return f"refused, another state stands\n{what}"
        case Settlement.LATE:
            return f"paid too late: kept as a case to be seen to; give back the money, or a unit\n{what}"
        case Settlement.ALREADY if arguments.action != "show":
            return f"it stood so already\n{what}"
    return what


def _standing(order: Order) -> str:
    until = f" until {_moment(order.due_at_ms)}" if order.state is State.HELD else ""
    return f"{order.state.value}{until}, accepted {_moment(order.accepted_at_ms)}"


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
