"""The challenge stage: whether a request carries the solution of a challenge that nothing else was bought with.

    read ── examine ── burn          unsolved, or burned by another: a Refusal that names where a new challenge is

A solution is burned before anything is bought, for all hosts. It is burned *for* a purchase (route, item, buyer and
idempotency key), so that the same purchase may be sent again: with its key for as long as the key is bound, without one
for a moment. The ledger's own limits hold either way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import BreakerOpen, StoreError, TooBusy, Unsolved
from seckill_sidecar.model import Rate, Verdict
from seckill_sidecar.ports import Aim, Breaker, Burns, Challenge
from seckill_sidecar.settings.schema import BuyerSource, Identity, Route
from seckill_sidecar.wire.answers import Asked, Refusal
from seckill_sidecar.wire.fields import FORM, MULTIPART
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.values import Values

_SKEW = 60.0
"""Seconds by which hosts' clocks may differ: a solution is remembered for longer than any of them takes it."""
_IN_EVERY_REQUEST = ("header", "cookie", "environ", "ask", "jwt")
"""From where a buyer is known who asks for a challenge as well as one who buys."""
_SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of challenge, and where its solution is in a request."""

    challenge: Challenge
    fields: Mapping[str, str]
    """The field of a form, or member of a JSON body, for each part of a solution: ``solution``, ``challenge``."""
    headers: Mapping[str, str]
    """The header for some of them, which goes before the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long a used solution counts as the same purchase's, in seconds, and how many challenges are given."""

    again: float
    """Without an idempotency key."""
    idempotency: float
    """With one."""
    lifetime: float
    """Of a challenge: what was answered wrongly is remembered for as long."""
    rate: Rate | None
    """Of a process."""
    body: int
    """Bytes of a request in which a solution is looked for."""


class _Place(NamedTuple):
    kind: str
    name: str


Who = Callable[[Request, BuyerSource | None], str]
"""The verified buyer of a request; raises ``Refusal`` (401, 503)."""


class Challenger:
    """Gives challenges of a site's routes, and checks their solutions."""

    def __init__(
        self,
        prefix: str,
        kinds: Mapping[str, Kind],
        burns: Burns,
        ledger_breaker: Breaker,
        identity: Identity,
        who: Who,
        bounds: Bounds,
        clock: Clock,
    ) -> None:
        """``kinds`` has one for each that a route names; ``prefix`` is where the site's own addresses live."""
        self._prefix = prefix
        self._kinds = kinds
        self._burns = burns
        self._breaker = ledger_breaker
        self._identity = identity
        self._who = who
        self._bounds = bounds
        self._clock = clock
        self._given = _Bucket(bounds.rate, clock)

    def give(self, request: Request, route: Route, item: str) -> Mapping[str, Any]:
        """A new challenge as JSON shows it, for an item or, without one, any item of the route.

        Raises ``Refusal``: 401 if the route's buyers have to be known by now, 503 if there is none at this moment.
        """
        kind = self._kinds[route.challenge or ""]
        buyer = self._who(request, self._source(route)) if self._knows_early(route) else ""
        if isinstance(route.item, str):
            item = route.item
        if not self._given.take():
            raise _none_at_this_moment("too many ask for one")
        try:
            given = kind.challenge.give(route.name, _seal(route.name, item, buyer))
        except TooBusy as error:
            raise _none_at_this_moment(str(error)) from error
        return {**given, "kind": route.challenge, "fields": dict(kind.fields)}

    def check(
        self, request: Request, route: Route, buyer: str, item: str, deadline: Deadline, key: str | None = None
    ) -> None:
        """Return if this request carries a solution for what it wants, and burn that; ``key`` is its idempotency key.

        Raises ``Refusal`` (403; 503 if it can't be examined and policy is to refuse, 400 if it can't be read), or
        ``StoreError`` if the ledger's server can't tell what the solution was used for.
        """
        use = _Use(_digest(route.name, item, buyer, key or ""), key is not None)
        kind = self._kinds[route.challenge or ""]
        early = buyer if self._knows_early(route) else ""
        aim = Aim(route.name, [_seal(route.name, item, early), _seal(route.name, "", early)])
        try:
            solved = kind.challenge.examine(self._said(request, kind), aim, deadline)
        except Unsolved as error:
            if not self._was_solved_for(use, error, deadline):
                raise self._unsolved(route, kind, item, error.why) from error
            return
        except StoreError as error:
            raise _not_examined(error) from error
        if not self._burn(solved.solution, use, max(solved.until - self._clock.wall(), 0.0), deadline):
            raise self._unsolved(route, kind, item, "the solution was used already")

    # -- where a solution stands

    def _said(self, request: Request, kind: Kind) -> dict[str, str]:
        values = Values(request, {}, self._bounds.body)
        where = _where(request)
        said = {}
        for part, name in kind.fields.items():
            header = kind.headers.get(part)
            found = values.text(_Place("header", header)) if header else None
            if found is None and where:
                found = values.text(_Place(where, name))
            if found:
                said[part] = found
        return said

    # -- what it was used for

    def _burn(self, solution: str, use: _Use, life: float, deadline: Deadline) -> bool:
        """Whether it was unused, or used for the same."""
        bounds, now = self._bounds, self._clock.wall()
        seconds = max(life, bounds.idempotency if use.has_key else bounds.again) + _SKEW
        with self._breaker.calling():
            earlier = self._burns.burn(solution, f"{int(now * 1000)} {use.digest}", seconds, deadline)
        return earlier is None or self._is_again(earlier, use)

    def _was_solved_for(self, use: _Use, error: Unsolved, deadline: Deadline) -> bool:
        """Whether what is no solution any more was one when this purchase was sent before."""
        if not error.solution:
            return False
        with self._breaker.calling():
            if error.spent:
                self._burns.burn(error.solution, _SPENT, self._bounds.lifetime + _SKEW, deadline)
                return False
            earlier = self._burns.used(error.solution, deadline)
        return earlier is not None and self._is_again(earlier, use)

    def _is_again(self, earlier: str, use: _Use) -> bool:
        at, _, digest = earlier.partition(" ")
        if digest != use.digest or not at.isdigit():
            return False
        return use.has_key or self._clock.wall() - int(at) / 1000 <= self._bounds.again

    # -- whose it is

    def _source(self, route: Route) -> BuyerSource | None:
        return route.buyer or self._identity.buyer

    def _knows_early(self, route: Route) -> bool:
        source = self._source(route)
        return source is not None and source.kind in _IN_EVERY_REQUEST

    def _unsolved(self, route: Route, kind: Kind, item: str, why: str) -> Refusal:
        url = f"{self._prefix}challenges/{route.name}?item={quote(item, safe='')}"
        return Refusal(
            Verdict.CHALLENGED,
            f"{why}; solve a new challenge, and send the purchase again with its solution",
            asked=Asked(url, tuple(kind.fields.values())),
            reason=why,
        )


@dataclass(frozen=True, slots=True)
class _Use:
    """A purchase that a solution is used for."""

    digest: str
    has_key: bool


class _Bucket:
    """So many in a time, and no more. Takes no lock: one more or less does no harm."""

    def __init__(self, rate: Rate | None, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left = float(rate.burst) if rate is not None else 0.0
        self._filled_at = clock.monotonic()

    def take(self) -> bool:
        rate = self._rate
        if rate is None:
            return True
        now = self._clock.monotonic()
        self._left = min(rate.burst, self._left + (now - self._filled_at) * rate.count / rate.per)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _where(request: Request) -> str:
    """In what kind of fields this request would carry a solution; empty if in none."""
    if request.method == "GET":
        return "query"
    kind = request.content_type
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    return "form" if kind in (FORM, MULTIPART) else ""


def _seal(route: str, item: str, buyer: str) -> str:
    return _digest(route, item, buyer)


def _digest(*parts: str) -> str:
    """32 hex digits. None of the parts has a line's end in it."""
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]


def _none_at_this_moment(reason: str) -> Refusal:
    return Refusal(Verdict.UNAVAILABLE, "there is no challenge at this moment; ask again", retry_after=1, reason=reason)


def _not_examined(error: StoreError) -> Refusal:
    return Refusal(
        Verdict.UNAVAILABLE,
        "it can't be examined at this moment whether the challenge was solved; this try bought nothing",
        retry_after=error.retry_after if isinstance(error, BreakerOpen) else 1,
        reason=str(error),
    )
