"""Who is signed in, by the storefront's word.

    session ─► remembered? ─► being asked by another request? ─► breaker ─► storefront ─► remembered for a moment

What is remembered is a keyed digest of what would be sent along, never a session's own name.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import DeadlinePassed, StoreDown, StoreError
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Breaker, Whoami
from seckill_sidecar.settings.buyers import AskSettings
from seckill_sidecar.wire.answers import Refusal, nobody_can_tell
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.told import reader
from seckill_sidecar.wire.values import Values

_CLEAN = re.compile(r"[!-~](?:[ -~]{0,4094}[!-~])?", re.ASCII)
_LONGEST = 8192
"""Bytes that are sent along, at most."""

_Fields = Sequence[tuple[str, str]]


class StorefrontsWord:
    """Who is buying, asked of the storefront."""

    def __init__(self, settings: AskSettings, whoami: Whoami, breaker: Breaker, clock: Clock, secret: bytes) -> None:
        """``secret`` keys the digests; any will do that nobody knows."""
        self._settings = settings
        self._whoami = whoami
        self._read = reader(settings.read)
        self._breaker = breaker
        self._secret = hashlib.blake2b(secret, digest_size=32).digest()
        self._lock = threading.Lock()
        self._questions: dict[bytes, _Question] = {}
        # Apart, so that whoever makes sessions up pushes out nobody who is signed in.
        self._buyers = _Memory(settings.cache, settings.remember, clock)
        self._strangers = _Memory(settings.cache_nobody, settings.remember, clock)

    def __call__(self, request: Request, deadline: Deadline) -> str:
        """The buyer; raises ``Refusal`` (400, 401, 503)."""
        fields = self._sent_along(request)
        if not fields:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in first", reason="no session that the storefront could know")
        try:
            buyer = self._find(fields, deadline)
        except StoreError as error:
            raise nobody_can_tell(error) from error
        if not buyer:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in first", reason="the storefront says that nobody is signed in")
        return buyer

    def _sent_along(self, request: Request) -> _Fields:
        """What of a request the storefront is told: header fields, the cookies among them as one."""
        values, cookies, headers = Values(request, {}, 0), [], []
        for place in self._settings.places:
            value = values.text(place)
            if not value:
                continue
            if _CLEAN.fullmatch(value) is None:
                raise Refusal(Verdict.UNIDENTIFIED, "sign in again", reason=f"{place.kind} {place.name} is unclean")
            if place.kind == "cookie":
                cookies.append(f"{place.name}={value}")
            else:
                headers.append((place.name, value))
        fields = [*([("Cookie", "; ".join(cookies))] if cookies else []), *headers]
        if sum(len(name) + len(value) for name, value in fields) > _LONGEST:
            raise Refusal(
                Verdict.UNIDENTIFIED, "sign in again", reason="the session's cookies and headers are too long"
            )
        return fields

    def _find(self, fields: _Fields, deadline: Deadline) -> str:
        digest = self._digest(fields)
        while True:
            with self._lock:
                known = self._buyers.recall(digest) or self._strangers.recall(digest)
                if known is not None:
                    return known.buyer
                question = self._questions.get(digest)
                mine = question is None
                if question is None:
                    question = self._questions[digest] = _Question()
            if mine:
                self._put(question, digest, fields, deadline)
            elif not question.answered.wait(deadline.remaining()):
                raise DeadlinePassed("storefront", "no time was left to wait for who is buying")
            if question.fault is None:
                return question.buyer
            if mine or not isinstance(question.fault, DeadlinePassed):
                raise question.fault
            # Whoever asked had less time than there is here.

    def _put(self, question: _Question, digest: bytes, fields: _Fields, deadline: Deadline) -> None:
        """Ask for all who want to know the same."""
        try:
            question.buyer, question.fault = self._ask(fields, deadline), None
        except StoreError as error:
            question.fault = error
        finally:
            with self._lock:
                del self._questions[digest]
                if question.fault is None:
                    (self._buyers if question.buyer else self._strangers).keep(digest, question.buyer)
            question.answered.set()

    def _ask(self, fields: _Fields, deadline: Deadline) -> str:
        with self._breaker.calling():
            told = self._whoami.ask(fields, deadline)
            if told.status >= 500 or told.status == 429:
                raise StoreDown("storefront", f"asked who is buying, it answered {told.status}")
        if told.status in (401, 403) or 300 <= told.status < 400:
            return ""
        if told.status >= 400:
            # Not the breaker's business: whoever makes sessions up can have such answers as often as he likes.
            what = f"asked who is buying, it answered {told.status}; see whether ask: path: is an address of the site"
            raise StoreError("storefront", what)
        buyer = self._read(told)
        return "" if buyer in self._settings.nobody else buyer

    def _digest(self, fields: _Fields) -> bytes:
        text = "\n".join(f"{name}:{value}" for name, value in fields)
        return hashlib.blake2b(text.encode(), digest_size=16, key=self._secret).digest()


class _Question:
    """One question that is under way, and what came of it."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.buyer = ""
        self.fault: StoreError | None = StoreDown("storefront", "who was to ask who is buying has given up")


class _Known:
    """Who a session's buyer is; empty for nobody."""

    __slots__ = ("buyer", "until")

    def __init__(self, buyer: str, until: float) -> None:
        self.buyer = buyer
        self.until = until


class _Memory:
    """What was said of the sessions seen last. Not safe for threads by itself."""

    def __init__(self, seconds: float, most: int, clock: Clock) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def recall(self, digest: bytes) -> _Known | None:
        known = self._known.get(digest)
        if known is None:
            return None
        if known.until <= self._clock.monotonic():
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return known

    def keep(self, digest: bytes, buyer: str) -> None:
        if not self._seconds:
            return
        self._known[digest] = _Known(buyer, self._clock.monotonic() + self._seconds)
        self._known.move_to_end(digest)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
