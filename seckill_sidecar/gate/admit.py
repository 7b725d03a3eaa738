"""Who may come to the sale: identity, challenge and rate, asked before the rush and answered by a token.

    origin ── identify ── checks ── ledger: open soon? something left? not too often? ── token

A purchase then brings the token in the place of all these (``identify.py``), and ``reserve.lua`` uses it up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import SKU, Admission, Decision, Verdict
from seckill_sidecar.ports import Admits, Breaker
from seckill_sidecar.settings.schema import ADMISSION_IN_PATH, Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request

NONCE_BYTES = 9


class Check(Protocol):
    """One more thing that is asked of whoever wants to be admitted: a challenge, say."""

    def __call__(self, request: Request, route: Route, buyer: str, item: str, deadline: Deadline) -> None:
        """Raise ``Refusal`` or ``Malformed`` for whoever does not pass, ``StoreError`` if that can't be told."""


@dataclass(frozen=True, slots=True)
class Granted:
    """An admission, and how it is used."""

    admission: Admission
    token: str
    buy: str | None
    """The path of the purchase, if it is hidden."""
    cookies: Sequence[str]
    """Names of the cookies in which purchases bring it."""


class Admitter:
    """Gives admissions to what the routes sell that ask for them."""

    def __init__(
        self,
        routes: Sequence[Route],
        refuse_if_foreign: Callable[[Request, Route], None],
        who: Callable[[Request, Route, Deadline], str],
        address_of: Callable[[Request], str],
        checks: Sequence[Check],
        ledger: Admits,
        breaker: Breaker,
        sign: Callable[[Admission], str],
        refusal_of: Callable[[Decision], Refusal],
        new_nonce: Callable[[], str],
        clock: Clock,
        seconds: float,
        known_items: Collection[str] = (),
        is_unknown: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``refuse_if_foreign`` raises for what a page sent that may not buy by a route.

        ``who`` tells the verified buyer of a request; ``seconds`` bounds one wish.

        ``known_items`` are on sale for certain: a ledger that has never heard of one has lost it. ``is_unknown`` tells
        of items that surely aren't there, so that made-up ones cost the ledger next to nothing.
        """
        self._routes = [route for route in routes if route.admission.asked]
        self._refuse_if_foreign = refuse_if_foreign
        self._who = who
        self._address_of = address_of
        self._checks = tuple(checks)
        self._ledger = ledger
        self._breaker = breaker
        self._sign = sign
        self._refusal_of = refusal_of
        self._new_nonce = new_nonce
        self._clock = clock
        self._seconds = seconds
        self._known = frozenset(known_items)
        self._is_unknown = is_unknown

    def grant(self, request: Request, sku: str) -> Granted:
        """An admission for the buyer who asks; raises ``Refusal`` or ``Malformed``."""
        if SKU.fullmatch(sku) is None:
            raise Refusal(Verdict.INVALID, "the item's SKU is malformed")
        routes = [route for route in self._routes if not isinstance(route.item, str) or route.item == sku]
        if not routes:
            raise Refusal(Verdict.INVALID, "no admission is needed for this item", status=404)
        self._refuse_foreign(request, routes)
        if self._is_unknown(sku):
            raise self._refusal_of(Decision(Verdict.UNKNOWN_ITEM))
        deadline = Deadline.after(self._seconds, self._clock)
        buyer = self._who(request, routes[0], deadline)
        self._check(request, routes[0], buyer, sku, deadline)
        until_ms = self._ask_ledger(sku, buyer, self._address_of(request), deadline)
        admission = Admission(buyer, sku, self._new_nonce(), until_ms)
        token = self._sign(admission)
        hidden = next((route for route in routes if route.admission.hidden), None)
        return Granted(admission, token, None if hidden is None else _path_of(hidden, sku, token), _cookies(routes))

    def _refuse_foreign(self, request: Request, routes: Sequence[Route]) -> None:
        """Raise unless the page that sent this may buy by one of these."""
        for route in routes[:-1]:
            with suppress(Refusal):
                return self._refuse_if_foreign(request, route)
        return self._refuse_if_foreign(request, routes[-1])

    def _check(self, request: Request, route: Route, buyer: str, sku: str, deadline: Deadline) -> None:
        try:
            for check in self._checks:
                check(request, route, buyer, sku, deadline)
        except StoreError as error:
            raise _not_now(str(error)) from error

    def _ask_ledger(self, sku: str, buyer: str, address: str, deadline: Deadline) -> int:
        """When the admission ends, in milliseconds since 1970."""
        try:
            with self._breaker.calling():
                told = self._ledger.admit(sku, buyer, address, deadline)
        except StoreError as error:
            raise _not_now(str(error)) from error
        if told.refusal is None:
            return told.until_ms
        verdict = told.refusal.verdict
        if verdict is Verdict.UNKNOWN_ITEM and sku in self._known:
            raise _not_now("the ledger does not know this item: not loaded yet, or lost")
        if verdict is Verdict.UNAVAILABLE:
            raise _not_now(told.refusal.reason)
        if verdict is Verdict.NOT_OPEN:
            raise Refusal(verdict, "admission is not given yet; come back then", retry_after=told.refusal.retry_after)
        raise self._refusal_of(told.refusal)


def _not_now(reason: str) -> Refusal:
    return Refusal(
        Verdict.UNAVAILABLE,
        "nobody can be admitted at this moment; ask again in a moment",
        retry_after=2,
        reason=reason,
    )


def _path_of(route: Route, sku: str, token: str) -> str:
    path = route.path.replace(f"{{{ADMISSION_IN_PATH}}}", token)
    return path if isinstance(route.item, str) else path.replace(f"{{{route.item.path}}}", sku)


def _cookies(routes: Sequence[Route]) -> list[str]:
    sources = [route.admission.source for route in routes]
    return sorted({source.name for source in sources if source.kind == "cookie"})
