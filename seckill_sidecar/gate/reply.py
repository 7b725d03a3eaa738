"""How each verdict is said: status and title in one table, problem JSON for programs, a page for browsers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from seckill_sidecar.clock import Clock
from seckill_sidecar.model import Decision, Order, Rate, State, Verdict
from seckill_sidecar.settings.schema import Limits, Route
from seckill_sidecar.wire.answers import Answer, RateState, Refusal
from seckill_sidecar.wire.challenge_form import FormWords, challenge_form
from seckill_sidecar.wire.pages import More, Pages
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import Keyring

VERDICTS: dict[Verdict, tuple[int, str]] = {
    Verdict.ACCEPTED: (201, "Yours: the order is in"),
    Verdict.REPLAYED: (200, "You have this order already"),
    Verdict.SOLD_OUT: (409, "Sold out"),
    Verdict.LIMIT_REACHED: (409, "You can't have more of this item"),
    Verdict.NOT_ELIGIBLE: (403, "This sale is for invited buyers"),
    Verdict.NOT_OPEN: (409, "The sale has not begun"),
    Verdict.CLOSED: (409, "The sale is over"),
    Verdict.UNKNOWN_ITEM: (404, "There is no such item on sale"),
    Verdict.RATE_LIMITED: (429, "Too many tries, slow down"),
    Verdict.UNIDENTIFIED: (401, "Sign in to buy"),
    Verdict.NOT_ADMITTED: (403, "This purchase was not admitted"),
    Verdict.CHALLENGED: (403, "First show that you are no robot"),
    Verdict.INVALID: (400, "This request can't be understood"),
    Verdict.CONFLICT: (422, "This idempotency key was used for another purchase"),
    Verdict.UNAVAILABLE: (503, "Not possible at this moment"),
}
"""Status and title of each verdict; the README's table is held against it."""

_FOREIGN, _FOREIGN_TITLE = (Verdict.INVALID, 403), "Buy on the shop's own pages"

_KEPT_STATUS = 202
_GONE_STATUS = 409
_GONE = {
    State.CANCELLED: "This order was cancelled; to buy again, use a new idempotency key",
    State.EXPIRED: "This order was not paid in time; to buy again, use a new idempotency key",
}
"""A replayed order that stands no more: its buyer has nothing."""
_TOKEN_SECONDS = 7 * 86_400.0
COOKIE = "seckill_order"
"""Names a buyer who holds an order: nginx's shield lets such requests pass."""
_COOKIE_SECONDS = 86_400
RECEIPT_HEADER = "X-Seckill-Receipt"
"""The receipt beside an answer of the storefront's own."""
_NO_STORE = ("Cache-Control", "no-store")
_as_json = json.JSONEncoder(ensure_ascii=False).encode


class Reply:
    """Answers of one site."""

    def __init__(
        self,
        prefix: str,
        keyring: Keyring,
        limits: Limits,
        clock: Clock,
        shielded: bool = False,
        receipt_seconds: float = 30 * 86_400.0,
        *,
        pages: Pages,
    ) -> None:
        """``prefix`` is where the site's own addresses live, ``/seckill/`` by default.

        A receipt is worth something for ``receipt_seconds``.
        On a ``shielded`` site, who has an order gets a cookie with which to pass the shield.
        """
        self._prefix = prefix
        self._keyring = keyring
        self._limits = limits
        self._clock = clock
        self._pages = pages
        self._gives_cookies = shielded and bool(keyring)
        self._receipt_seconds = receipt_seconds

    # -- accepted

    def storefront_headers(self, order: Order) -> list[tuple[str, str]]:
        """What an accepted request carries to the storefront, signed if the site has keys."""
        return self._keyring.storefront_headers(order, self._clock.wall())

    def answer_headers(self, order: Order) -> list[tuple[str, str]]:
        """What the storefront's own answer to an accepted purchase gets on its way to the buyer."""
        receipt = self._receipt(order)
        return [*self.cookie(order), *([(RECEIPT_HEADER, receipt)] if receipt else [])]

    def cookie(self, order: Order) -> list[tuple[str, str]]:
        """The field that sets the cookie of an order that stands, if this site gives cookies."""
        if not self._gives_cookies or order.state in _GONE:
            return []
        token = self._keyring.order_token(order.id, order.buyer, self._clock.wall() + _COOKIE_SECONDS)
        return [("Set-Cookie", f"{COOKIE}={token}; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax")]

    def accepted(self, request: Request, route: Route, order: Order, verdict: Verdict) -> Answer:
        """Our own answer to an accepted or replayed purchase, as the route wants it."""
        status, title = VERDICTS[verdict]
        if order.state in _GONE:
            status, title = _GONE_STATUS, _GONE[order.state]
        elif route.on_accept == "redirect" and route.redirect_to is not None:
            return _redirect(self._fill_in(route.redirect_to, order), self.cookie(order))
        as_page = route.on_accept == "page" or (route.on_accept != "json" and prefers_page(request))
        page = order.state.value if order.state in _GONE else verdict.value
        return self._order_answer(request, order, verdict, status, title, page if as_page else "")

    def kept(self, request: Request, order: Order) -> Answer:
        """The order stands, though the storefront could not answer for it."""
        title = "Yours: the order is in, the shop will confirm it later"
        page = "kept" if prefers_page(request) else ""
        return self._order_answer(request, order, Verdict.ACCEPTED, _KEPT_STATUS, title, page)

    def _order_answer(
        self, request: Request, order: Order, verdict: Verdict, status: int, title: str, page: str
    ) -> Answer:
        receipt = self._receipt(order)
        addresses = self._addresses(order.id, receipt or self._order_token(order.id, order.buyer))
        poll = addresses["poll"]
        headers = [_NO_STORE, *self.cookie(order)]
        if page:
            status = 200 if status == VERDICTS[Verdict.ACCEPTED][0] else status
            more = More(link=poll, is_receipt=bool(receipt))
            return _page(status, headers, order_page(self._pages, request, order, page, more))
        if status == VERDICTS[Verdict.ACCEPTED][0]:
            headers.append(("Location", poll))
        body = {"verdict": verdict.value, "title": title, **order_members(order), **addresses}
        if receipt:
            body["receipt"] = receipt
        return _json(status, headers, "application/json", body)

    def _fill_in(self, template: str, order: Order) -> str:
        token = self._receipt(order) or self._order_token(order.id, order.buyer)
        return template.format(
            order=quote(order.id, safe=""), item=quote(order.item, safe=""), token=quote(token, safe="")
        )

    def _order_token(self, order_id: str, buyer: str) -> str:
        if not self._keyring:
            return ""
        return self._keyring.order_token(order_id, buyer, self._clock.wall() + _TOKEN_SECONDS)

    def _receipt(self, order: Order) -> str:
        """Proves that the order was accepted. Of one that stands no more it would prove too much."""
        if not self._keyring or order.state in _GONE:
            return ""
        return self._keyring.receipt(order, self._clock.wall() + self._receipt_seconds)

    def _addresses(self, order_id: str, token: str) -> dict[str, str]:
        """Where its buyer hears of an order: asked for, as events, and through a WebSocket."""
        path, query = f"{self._prefix}orders/{quote(order_id, safe='~')}", f"?token={token}" if token else ""
        return {"poll": f"{path}{query}", "events": f"{path}/events{query}", "socket": f"{path}/socket{query}"}

    # -- refused

    def refusal_of(self, decision: Decision) -> Refusal:
        """What a decision without an order means for the buyer."""
        return refusal_of(self._limits, decision)

    def refused(self, request: Request, refusal: Refusal, buyer: str = "") -> Answer:
        """Problem JSON (RFC 9457), or a plain page for a browser."""
        status = refusal.status or VERDICTS[refusal.verdict][0]
        title = _title(refusal.verdict, status)
        headers = [_NO_STORE, *_waiting_headers(refusal)]
        addresses = {}
        if refusal.order_id:
            addresses = self._addresses(refusal.order_id, self._order_token(refusal.order_id, buyer))
        poll = addresses.get("poll", "")
        if prefers_page(request):
            return _page(status, headers, self._refusal_page(request, refusal, poll))
        if (
            poll
            or refusal.asked
            or refusal.retry_after is not None
            or refusal.available is not None
            or _is_lost(refusal)
        ):
            return _json(status, headers, "application/problem+json", self._problem(refusal, status, title, addresses))
        return Answer(status, [*headers, _PROBLEM_TYPE], _plain_problem(refusal.verdict, status, refusal.detail))

    def _refusal_page(self, request: Request, refusal: Refusal, poll: str) -> bytes:
        language = language_of(self._pages, request)
        values: dict[str, object] = {"wait": self._pages.wait(language, refusal.retry_after or 1)}
        if refusal.available is not None:
            values["available"] = refusal.available
        again = _whole_seconds(refusal.retry_after or 2) if poll else None
        detail = refusal.detail if refusal.verdict is Verdict.INVALID else ""
        more = More(link=poll, refresh=again, detail=detail, form=self._challenge_form(request, refusal, language))
        return self._pages.page(language, _page_name(refusal, bool(poll)), more, **values)

    def _challenge_form(self, request: Request, refusal: Refusal, language: str) -> str:
        if refusal.asked is None:
            return ""
        words = FormWords(*(self._pages.word(language, word) for word in ("go_on", "needs_script")))
        return challenge_form(request, refusal.asked, f"{self._prefix}challenges.js", self._limits.body, words)

    def _problem(self, refusal: Refusal, status: int, title: str, addresses: Mapping[str, str]) -> dict[str, Any]:
        problem = _problem_members(refusal.verdict, status, title, refusal.detail)
        if refusal.retry_after is not None:
            problem["retry_after"] = _whole_seconds(refusal.retry_after)
        if refusal.available is not None:
            problem["available"] = refusal.available
        if refusal.asked is not None:
            problem["challenge"] = refusal.asked.url
        if addresses or _is_lost(refusal):
            problem["outcome"] = "unknown"
        if addresses:
            problem |= {"order": refusal.order_id, **addresses}
        return problem


def refusal_of(limits: Limits, decision: Decision) -> Refusal:
    """The same, for whoever has limits but no site."""
    return _REFUSALS[decision.verdict](limits, decision)


def language_of(pages: Pages, request: Request) -> str:
    """The language in which a client is shown a page."""
    return pages.language(request.environ.get("HTTP_ACCEPT_LANGUAGE", ""))


def order_page(pages: Pages, request: Request, order: Order, name: str, more: More) -> bytes:
    """A page about an order."""
    values = {"order": order.id, "item": order.item, "quantity": order.quantity}
    return pages.page(language_of(pages, request), name, more, **values)


def order_members(order: Order) -> dict[str, Any]:
    """An order as JSON shows it to its buyer."""
    members = {"order": order.id, "item": order.item, "quantity": order.quantity, "state": order.state.value}
    members["accepted_at"] = _iso(order.accepted_at_ms)
    if order.state is State.HELD:
        members["held_until"] = _iso(order.due_at_ms)
    return members


def _page_name(refusal: Refusal, asks: bool) -> str:
    if asks:
        return "unknown"
    if refusal.page:
        return refusal.page
    return "sold_out_few" if refusal.available else refusal.verdict.value


def _is_lost(refusal: Refusal) -> bool:
    """Whether an earlier moment may have made an order of which nobody here knows the id."""
    return refusal.page == "lost"


def prefers_page(request: Request) -> bool:
    """Whether the client is a browser that shows pages, by its Accept header."""
    return _prefers_page(request.environ.get("HTTP_ACCEPT", ""))


@lru_cache(maxsize=512)
def _prefers_page(accept: str) -> bool:
    accept = accept.lower()
    page, program = accept.find("text/html"), accept.find("json")
    return page >= 0 and (program < 0 or page < program)


def _sold_out(_: Limits, decision: Decision) -> Refusal:
    if decision.available:
        detail = f"only {decision.available} left, fewer than you asked for"
        return Refusal(Verdict.SOLD_OUT, detail, available=decision.available)
    return Refusal(Verdict.SOLD_OUT, "every unit is held or sold; some may come back if holds expire")


def _rate_limited(limits: Limits, decision: Decision) -> Refusal:
    rate = limits.buyer if decision.scope == "buyer" else limits.address
    whose = "you" if decision.scope == "buyer" else "your network address"
    state = None if rate is None else rate_state(decision.scope, rate, decision.retry_after)
    return Refusal(
        Verdict.RATE_LIMITED, f"too many purchases from {whose}", retry_after=decision.retry_after, rate=state
    )


def rate_state(scope: str, rate: Rate, reset: float) -> RateState:
    """A dry bucket in the terms of the RateLimit fields."""
    return RateState(policy=scope, quota=rate.burst, window=rate.per * rate.burst / rate.count, reset=reset)


def _limit_reached(_: Limits, decision: Decision) -> Refusal:
    page = "limit_reached_address" if decision.scope == "address" else ""
    return Refusal(decision.verdict, _LIMIT_OF[decision.scope], page=page)


_LIMIT_OF = {
    "buyer": "more would be over the limit for one buyer of this item",
    "address": "more orders would be over the limit for one network address",
}
_ADMISSION_IS = {
    "used": "this admission was used for an order; ask for another one to buy again",
    "expired": "this admission has ended; ask for another one",
}
_REFUSALS: dict[Verdict, Callable[[Limits, Decision], Refusal]] = {
    Verdict.SOLD_OUT: _sold_out,
    Verdict.RATE_LIMITED: _rate_limited,
    Verdict.LIMIT_REACHED: _limit_reached,
    Verdict.NOT_ADMITTED: lambda _, d: Refusal(d.verdict, _ADMISSION_IS[d.reason], reason=f"admission {d.reason}"),
    Verdict.NOT_ELIGIBLE: lambda _, d: Refusal(d.verdict, "you are not among those whom this item is for"),
    Verdict.NOT_OPEN: lambda _, d: Refusal(d.verdict, "come back when it opens", retry_after=d.retry_after),
    Verdict.CLOSED: lambda _, d: Refusal(d.verdict, "this item is no longer on sale"),
    Verdict.UNKNOWN_ITEM: lambda _, d: Refusal(d.verdict, "check the address, or ask the shop"),
    Verdict.CONFLICT: lambda _, d: Refusal(d.verdict, "use a new key for a new purchase"),
    Verdict.UNAVAILABLE: lambda _, d: Refusal(
        d.verdict,
        "the shop can't take orders for this item at this moment; this try bought nothing",
        retry_after=2,
        reason=d.reason,
    ),
}

_PROBLEM_TYPE = ("Content-Type", "application/problem+json")


def _title(verdict: Verdict, status: int) -> str:
    return _FOREIGN_TITLE if (verdict, status) == _FOREIGN else VERDICTS[verdict][1]


def _problem_members(verdict: Verdict, status: int, title: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:seckill:verdict:{verdict.value}",
        "title": title,
        "status": status,
        "detail": detail,
        "verdict": verdict.value,
    }


@lru_cache(maxsize=256)
def _plain_problem(verdict: Verdict, status: int, detail: str) -> bytes:
    # Most losers get one of a handful of bodies: they are written once.
    return _dump(_problem_members(verdict, status, _title(verdict, status), detail))


def _waiting_headers(refusal: Refusal) -> list[tuple[str, str]]:
    headers = []
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(_whole_seconds(refusal.retry_after))))
    if refusal.rate is not None:
        rate = refusal.rate
        headers.append(("RateLimit-Policy", f'"{rate.policy}";q={rate.quota};w={_whole_seconds(rate.window)}'))
        headers.append(("RateLimit", f'"{rate.policy}";r=0;t={_whole_seconds(rate.reset)}'))
    return headers


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _redirect(location: str, more: list[tuple[str, str]]) -> Answer:
    return Answer(303, [_NO_STORE, *more, ("Location", location), ("Content-Type", "text/plain; charset=utf-8")], b"")


def _page(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return Answer(status, [*headers, ("Content-Type", "text/html; charset=utf-8")], body)


def _json(status: int, headers: list[tuple[str, str]], kind: str, members: dict[str, Any]) -> Answer:
    return Answer(status, [*headers, ("Content-Type", kind)], _dump(members))


def _dump(members: dict[str, Any]) -> bytes:
    return _as_json(members).encode() + b"\n"
