"""Buyers: threads that send what the plan says, and afterwards ask until nothing is unknown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from demo.line import BrokenLine, Line, Reply

from faults.history import (
    BROKEN,
    GONE,
    NEVER,
    ORDER,
    REFUSED,
    STRANGE,
    UNKNOWN,
    WAIT,
    Attempt,
    History,
    Told,
    now_ms,
)
from faults.plan import Plan, attempts

_ANSWER_WITHIN_S = 8.0
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 1.0
_LONGEST_REST_S = 60.0

Address = tuple[str, int]


class Buyer:
    """One connection to the site, and what comes back on it."""

    def __init__(self, address: Address, sku: str, history: History) -> None:
        self._line = Line(address, timeout=_ANSWER_WITHIN_S)
        self._sku = sku
        self._history = history

    def buy(self, attempt: Attempt) -> Told:
        """Send one purchase; what was told."""
        headers = {"X-Buyer": attempt.buyer, "Idempotency-Key": attempt.key, "Accept": "application/json"}
        path = f"/buy/{self._sku}?quantity={attempt.quantity}"
        return self._ask(attempt, "POST", path, headers, read_purchase)

    def poll(self, told: Told) -> Told:
        """Ask for the order that an unknown answer named."""
        return self._ask(told.attempt, "GET", told.poll, {}, read_poll, order=told.order, poll=told.poll, polled=True)

    def close(self) -> None:
        self._line.close()

    def _ask(
        self, attempt: Attempt, method: str, path: str, headers: Mapping[str, str], read: Any, **known: Any
    ) -> Told:
        sent = now_ms()
        try:
            reply = self._line.ask(method, path, headers)
        except BrokenLine as error:
            meaning: dict[str, Any] = {"meaning": BROKEN, "detail": str(error)}
        else:
            meaning = {"status": reply.status, **read(reply)}
        return self._history.tell(Told(attempt, sent, now_ms(), **{**known, **meaning}))


def read_purchase(reply: Reply) -> dict[str, Any]:
    """What an answer to a purchase says."""
    fields = _fields(reply)
    verdict, order, poll = (str(fields.get(name) or "") for name in ("verdict", "order", "poll"))
    said: dict[str, Any] = {"verdict": verdict, "order": order, "poll": poll, "state": str(fields.get("state") or "")}
    if verdict in ("accepted", "replayed") and order:
        return {**said, "meaning": ORDER if reply.status < 300 else GONE}
    if reply.status == 503 and order and poll:
        return {**said, "meaning": UNKNOWN}
    if reply.status >= 400 and verdict and not order:
        return {**said, "meaning": REFUSED, "available": int(fields.get("available") or 0)}
    return {**said, "meaning": STRANGE, "detail": repr(reply.body[:300])}


def read_poll(reply: Reply) -> dict[str, Any]:
    """What polling says: there is an order, there never will be one, or ask again."""
    if reply.status == 200:
        fields = _fields(reply)
        return {"meaning": ORDER, "order": str(fields.get("order") or ""), "state": str(fields.get("state") or "")}
    if reply.status == 404:
        return {"meaning": NEVER}
    if reply.status in (202, 429, 502, 503):
        return {"meaning": WAIT}
    return {"meaning": STRANGE, "detail": repr(reply.body[:300])}


def _fields(reply: Reply) -> dict[str, Any]:
    try:
        fields = json.loads(reply.body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


# -- many of them ------------------------------------------------------------------------------------


@contextmanager
def buying(address: Address, plan: Plan, history: History) -> Iterator[Pace]:
    """While the body runs, buyers send what the plan says, at its rate; what is yielded can have them wait."""
    queue = Pace(plan)
    with ThreadPoolExecutor(plan.threads, thread_name_prefix="buyer") as pool:
        buyers = [Buyer(address, plan.sku, history) for _ in range(plan.threads)]
        threads = [pool.submit(_keep_buying, buyer, queue, plan.patience) for buyer in buyers]
        try:
            yield queue
        finally:
            queue.end()
        for thread in threads:
            thread.result(30)


class Pace:
    """Hands attempts out, no faster than the plan's rate and none that was missed later on."""

    def __init__(self, plan: Plan) -> None:
        self._attempts = attempts(plan)
        self._gap = 1 / plan.rate
        self._over = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def take(self) -> Attempt | None:
        """The next attempt at its time, or None when it is over."""
        with self._lock:
            now = time.monotonic()
            self._next = max(now, self._next + self._gap)
            self._awake.wait(_LONGEST_REST_S)
            if self._over.wait(self._next - now):
                return None
            return next(self._attempts)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nobody sends anything new while the body runs."""
        self._awake.clear()
        try:
            yield
        finally:
            self._awake.set()

    def end(self) -> None:
        """From now on there is no next attempt."""
        self._over.set()


def _keep_buying(buyer: Buyer, queue: Pace, patience: float) -> None:
    pause = _PAUSE_S
    while (attempt := queue.take()) is not None:
        told = buyer.buy(attempt)
        if told.meaning == BROKEN:
            time.sleep(pause)  # nobody hammers on a closed door
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            continue
        pause = _PAUSE_S
        if told.verdict == "unavailable":
            time.sleep(patience)
    buyer.close()


def resolve(address: Address, plan: Plan, history: History, within: float) -> int:
    """Ask until every unknown outcome is known, or the time is over; how many are still unknown.

    An order that was named is polled, then its key is sent again too: both have to say the same. Whoever got no answer
    at all sends the key again.
    """
    deadline = time.monotonic() + within
    unknown = [told for told in history.told if told.meaning in (UNKNOWN, BROKEN)]
    waiting = list({(told.attempt.key, told.poll): told for told in unknown}.values())
    with ThreadPoolExecutor(plan.threads) as pool:
        done = pool.map(lambda told: _settle(Buyer(address, plan.sku, history), told, deadline), waiting)
        return sum(not known for known in done)


def _settle(buyer: Buyer, told: Told, deadline: float) -> bool:
    try:
        while time.monotonic() < deadline:
            told = buyer.poll(told) if told.meaning == UNKNOWN or _still_polling(told) else buyer.buy(told.attempt)
            if _final(told) and not told.polled:
                return True
            if not _final(told):
                time.sleep(_PAUSE_S)
        return False
    finally:
        buyer.close()


def _still_polling(told: Told) -> bool:
    return told.polled and not _final(told)


def _final(told: Told) -> bool:
    """A 503 without an order is true of that request, yet no end for who does not know about an earlier one."""
    return told.meaning in (ORDER, GONE, NEVER) or (told.meaning == REFUSED and told.verdict != "unavailable")
