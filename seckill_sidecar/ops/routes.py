"""``route NAME``: how a route is treated, and another way to treat it, on all hosts at once until it is reset."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import UsageError
from seckill_sidecar.gate.mode import stances_of
from seckill_sidecar.model import Mode, Override, RouteStance, Stance
from seckill_sidecar.ports import Switches
from seckill_sidecar.settings.schema import Route

_SECONDS = 5.0
_ALL = "list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``route``."""
    parser.add_argument("name", help=f"a route of the YAML, or {_ALL} for all of them")
    parser.add_argument("--mode", choices=[mode.value for mode in Mode], help="treat it so from now on")
    parser.add_argument("--percent", type=int, help="share of the buyers for whom that holds (0 to 100)")
    parser.add_argument("--reset", action="store_true", help="leave it to the YAML again")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


class RouteSwitches:
    """Carries the command out."""

    def __init__(self, switches: Switches, routes: Sequence[Route], clock: Clock, who: str) -> None:
        """``who`` will be named in ``status``."""
        self._switches = switches
        self._configured = {route.name: route.stance for route in routes}
        self._hidden = {route.name for route in routes if route.admission.hidden}
        self._clock = clock
        self._who = who

    def run(self, arguments: argparse.Namespace) -> str:
        """Do what the command line says; what to print. Raises ``UsageError``, ``StoreError``."""
        wanted = arguments.mode is not None or arguments.percent is not None
        if arguments.reset and wanted:
            raise UsageError("--reset leaves the route to the YAML; give it alone")
        if arguments.name == _ALL and (wanted or arguments.reset):
            raise UsageError("name one route to change it: seckill-sidecar route NAME --mode …")
        if arguments.reset:
            # Also of a route that the YAML has no more, or it would hold if there is one of that name again.
            self._switches.reset(arguments.name, self._deadline())
        elif wanted:
            self._put(arguments)
        shown = [one for one in self.standing() if arguments.name in (one.route, _ALL)]
        if not shown and not arguments.reset:
            raise UsageError(f"there is no route {arguments.name!r}; there are {', '.join(self._configured) or 'none'}")
        return json.dumps([one.facts() for one in shown]) if arguments.json else "\n".join(map(str, shown))

    def standing(self) -> list[RouteStance]:
        """All routes as they stand."""
        return stances_of(self._configured, self._overrides())

    def _overrides(self) -> Mapping[str, Override]:
        return self._switches.read(list(self._configured), self._deadline())

    def _put(self, arguments: argparse.Namespace) -> None:
        name = arguments.name
        if name not in self._configured:
            return
        if arguments.percent is not None and not 0 <= arguments.percent <= 100:
            raise UsageError("--percent has to be a whole number from 0 to 100")
        if name in self._hidden:
            raise UsageError(f"route {name} has a hidden address, which the site doesn't know: it can only be enforced")
        now = next(one.now for one in self.standing() if one.route == name)
        # What is not named stays: a shadow for a tenth becomes a canary for a tenth.
        percent = now.percent if arguments.percent is None else arguments.percent
        stance = Stance(Mode(arguments.mode or now.mode), percent)
        self._switches.put(name, Override(stance, self._who, int(self._clock.wall() * 1000)), self._deadline())

    def _deadline(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)
