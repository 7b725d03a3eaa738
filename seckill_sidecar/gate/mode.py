"""The mode stage: which purchases of a route are the gate's to decide, and which pass on to the storefront.

    enforce   the gate decides
    shadow    a rehearsal decides, with consequences for nobody; then it passes on
    off       passes on; nothing of it is read

With a percent, that is so for as many of the buyers, and the others pass on. Who has no name is on neither side, so
that a canary refuses nobody beyond its share: without a buyer a request passes on, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from seckill_sidecar.model import Mode, Override, RouteStance, Stance
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request

_PARTS = 10_000


class Matched(Protocol):
    """A request's route, and what its path template found."""

    @property
    def route(self) -> Route: ...
    @property
    def path_values(self) -> Mapping[str, str]: ...


Who = Callable[[Request, Matched], str]
"""The buyer; raises ``Refusal`` or ``Malformed`` if nobody knows."""
Rehearse = Callable[[Request], object]
PassedOn = Callable[[str], None]
"""An observer, told the name of a route whose request passed on undecided."""


class Stances:
    """How each route is treated: as configured, or as an operator has said since."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._configured = {route.name: route.stance for route in routes}
        self._overrides: Mapping[str, Override] = {}
        self._now = self._configured
        self._items = {route.name: route.item for route in routes}

    @property
    def routes(self) -> list[str]:
        """Names of all routes, in their order."""
        return list(self._configured)

    def of(self, route: Route) -> Stance:
        """What is in force for a route at this moment."""
        return self._now[route.name]

    def override(self, overrides: Mapping[str, Override]) -> list[RouteStance]:
        """Let these hold from now on, and no others; the routes that are treated otherwise than before."""
        before, self._overrides = self._now, overrides
        told = stances_of(self._configured, overrides)
        self._now = {one.route: one.now for one in told}
        return [one for one in told if one.now != before[one.route]]

    def spares(self, sku: str) -> bool:
        """Whether nobody but the storefront may refuse this item to some buyer: a route that sells it is not whole."""
        return any(
            not stance.is_whole and (not isinstance(item, str) or item == sku)
            for stance, item in ((self._now[name], item) for name, item in self._items.items())
        )


def stances_of(configured: Mapping[str, Stance], overrides: Mapping[str, Override]) -> list[RouteStance]:
    """All routes as they stand, in their order."""
    return [RouteStance(name, stance, overrides.get(name)) for name, stance in configured.items()]


class Share:
    """Which buyers belong to a share: always the same ones, and to a larger share those of each smaller one."""

    def __init__(self, secret: bytes) -> None:
        """``secret`` keeps buyers from choosing names that belong to it, or don't; the share changes with it."""
        self._key = hashlib.blake2b(secret, digest_size=32).digest()

    def holds(self, buyer: str, percent: int) -> bool:
        """Whether this buyer is among so many of a hundred."""
        digest = hashlib.blake2b(buyer.encode(errors="replace"), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest) % _PARTS < percent * (_PARTS // 100)


class ModeStage:
    """Takes out of the gate's way what is not its to decide."""

    def __init__(
        self, stances: Stances, share: Share, who: Who, rehearse: Rehearse, observers: Sequence[PassedOn] = ()
    ) -> None:
        """``rehearse`` decides a request without consequences, and never raises."""
        self._stances = stances
        self._share = share
        self._who = who
        self._rehearse = rehearse
        self._observers = tuple(observers)

    def passes_on(self, request: Request, match: Matched) -> bool:
        """Whether the storefront is to answer this request, untouched by us."""
        stance = self._stances.of(match.route)
        if stance.is_whole or not self._is_left_alone(request, match, stance):
            return False
        request.frame_as_sent()
        return True

    def _is_left_alone(self, request: Request, match: Matched, stance: Stance) -> bool:
        if stance.is_off or not self._is_meant(request, match, stance.percent):
            for observer in self._observers:
                observer(match.route.name)
            return True
        if stance.mode is Mode.SHADOW:
            self._rehearse(request)
            return True
        return False

    def _is_meant(self, request: Request, match: Matched, percent: int) -> bool:
        if percent == 100:
            return True
        try:
            buyer = self._who(request, match)
        except (Refusal, Malformed):
            return False
        return self._share.holds(buyer, percent)
