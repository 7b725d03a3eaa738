"""Challenges under test: who gives and solves them, and a service that examines as Turnstile and hCaptcha do."""

from __future__ import annotations

import base64
import io
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlencode

import altcha

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.challenges import proof_of_work, siteverify
from seckill_sidecar.adapters.ledger import Keys, Line, RedisBurns
from seckill_sidecar.clock import Deadline, ManualClock
from seckill_sidecar.gate.challenge import Bounds, Challenger, Kind
from seckill_sidecar.gate.picture import PictureChallenge
from seckill_sidecar.model import Rate
from seckill_sidecar.ports import Challenge, Picture
from seckill_sidecar.settings.challenges import AltchaSettings, HcaptchaSettings, TurnstileSettings
from seckill_sidecar.settings.schema import BreakerSettings, BuyerSource, Identity, Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import Keyring, SigningKey

LIFETIME = 300.0
AGAIN = 30.0
SECRET = "the site's secret at the service"
KEYS = (SigningKey("new", b"a key of this year"), SigningKey("old", b"a key of last year"))
FIELDS = {
    "altcha": {"solution": "altcha"},
    "image": {"solution": "seckill_answer", "challenge": "seckill_challenge"},
    "turnstile": {"solution": "cf-turnstile-response"},
    "hcaptcha": {"solution": "h-captcha-response"},
}
KINDS = tuple(FIELDS)
Said = dict[str, str]


class Service:
    """Examines solutions by HTTP, each once, as both services do; and fails in all the ways that a test wants."""

    def __init__(self) -> None:
        self.trouble = ""
        self.asked: list[Mapping[str, str]] = []
        self._known: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self.patience = threading.Event()
        """Set when nobody waits for a hanging answer any more."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                service.answer(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/siteverify"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.patience.set()
        self._server.shutdown()
        self._server.server_close()

    def solve(self, hostname: str = "shop.test", **more: str) -> str:
        """What the widget puts into the form of somebody who has solved a challenge."""
        solution = f"solution-{next(self._numbers)}.{time.monotonic_ns()}"
        self._known[solution] = {"success": True, "hostname": hostname, "error-codes": [], **more}
        return solution

    def answer(self, handler: BaseHTTPRequestHandler, fields: Mapping[str, str]) -> None:
        self.asked.append(fields)
        if self.trouble == "hangs":
            self.patience.wait(20)
        body = json.dumps(self._verdict(fields)).encode()
        if self.trouble == "talks nonsense":
            body = b"<html>sorry</html>"
        if self.trouble == "says too much":
            body = b'{"success": true, "more": "' + b"x" * 100_000 + b'"}'
        handler.send_response(500 if self.trouble == "fails" else 200)
        if self.trouble == "fails":
            body = b"oh"
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.trouble == "drips":
            for number in range(len(body)):
                if self.patience.wait(0.1):
                    break
                handler.wfile.write(body[number : number + 1])
            return
        handler.wfile.write(body)

    def _verdict(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("secret") != SECRET or self.trouble == "knows us not":
            return {"success": False, "error-codes": ["invalid-input-secret"]}
        solution, asks = fields["response"], fields.get("idempotency_key", "")
        if solution not in self._known:
            return {"success": False, "error-codes": ["invalid-input-response"]}
        if (
            self._seen.setdefault(solution, asks or "once") != (asks or "never again")
            and len(self._times(solution)) > 1
        ):
            return {"success": False, "error-codes": ["timeout-or-duplicate"]}
        return self._known[solution]

    def _times(self, solution: str) -> list[Mapping[str, str]]:
        return [fields for fields in self.asked if fields["response"] == solution]

    def forget(self) -> None:
        """All solutions are too old."""
        self._known.clear()


@dataclass
class OnePicture:
    """Pictures whose answer a test knows."""

    picture: Picture | None = field(default_factory=lambda: Picture(b"\x89PNG", "ACE47"))

    def pick(self) -> Picture | None:
        return self.picture


@dataclass
class Desk:
    """One host of a site, with one kind of challenge."""

    kind: str
    redis_url: str
    clock: ManualClock
    service: Service
    keys: tuple[SigningKey, ...] = KEYS
    settings: Mapping[str, Any] = field(default_factory=dict)
    early: bool = True
    """Whether a buyer is known who asks for a challenge."""
    rate: Rate | None = None
    """Of the challenges that are given."""
    headers: Mapping[str, str] = field(default_factory=dict)

    ROUTE: ClassVar[dict[str, Any]] = {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}}

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.keys)
        self.pictures = OnePicture()
        line = Line(self.redis_url, self.clock, timeout=5.0, connect_timeout=5.0, batch=8, bound=64)
        self.burns = RedisBurns(line, Keys("desk"))
        self.breaker = StoreBreaker(self.kind, BreakerSettings(minimum=3), self.clock)
        buyer = {"header": "X-User", "trust": "proxy"} if self.early else {"form": "user", "trust": "client"}
        self.challenger = Challenger(
            "/seckill/",
            {self.kind: Kind(self.challenge(), FIELDS[self.kind], self.headers)},
            self.burns,
            StoreBreaker("ledger", BreakerSettings(), self.clock),
            Identity(buyer=BuyerSource(**buyer)),  # type: ignore[arg-type]
            lambda request, _: request.environ["HTTP_X_USER"],
            Bounds(again=AGAIN, idempotency=86_400.0, lifetime=LIFETIME, rate=self.rate, body=65_536),
            self.clock,
        )

    def close(self) -> None:
        self.burns.close()

    def challenge(self) -> Challenge:
        if self.kind == "altcha":
            secrets = self.keyring.secrets("altcha")
            return proof_of_work(AltchaSettings(rounds=100, tries=10), secrets, LIFETIME, self.clock)
        if self.kind == "image":
            return PictureChallenge(self.pictures, self.keyring, LIFETIME, self.clock)
        known = {"url": self.service.url, "site_key": "public", "secret": SECRET, "timeout": 0.5} | self.settings
        section = TurnstileSettings if self.kind == "turnstile" else HcaptchaSettings
        settings = section.model_validate(known | {"timeout": f"{known['timeout']}s"})
        return siteverify(self.kind, settings, self.breaker, 1.0, 8)

    def route(self, name: str = "buy") -> Route:
        return Route.model_validate(self.ROUTE | {"name": name, "challenge": self.kind})

    def give(self, buyer: str = "ann", item: str = "", route: str = "buy") -> Mapping[str, Any]:
        return self.challenger.give(asking(buyer), self.route(route), item)

    def solve(self, buyer: str = "ann", item: str = "", route: str = "buy") -> Said:
        """The fields of a form, from somebody who has solved a new challenge."""
        given = self.give(buyer, item, route)
        if self.kind == "altcha":
            return {"altcha": solved_work(given)}
        if self.kind == "image":
            return {"seckill_challenge": given["challenge"], "seckill_answer": "ace47"}
        more = {name: given[name] for name in ("action", "cdata") if name in given}
        return {FIELDS[self.kind]["solution"]: self.service.solve(**more)}

    def expire(self) -> None:
        """All that was solved until now is too old."""
        self.service.forget()
        self.clock.advance(LIFETIME + 1)

    def check(
        self, said: Said, buyer: str = "ann", item: str = "kettle", key: str | None = None, route: str = "buy"
    ) -> None:
        """Raises ``Refusal``."""
        self.check_of(form(said), buyer, item, key, route)

    def check_of(
        self, request: Request, buyer: str = "ann", item: str = "kettle", key: str | None = None, route: str = "buy"
    ) -> None:
        deadline = Deadline.after(10.0, self.clock)
        self.challenger.check(request, self.route(route), buyer, item, deadline, key)

    def refusal(self, said: Said, **purchase: Any) -> Refusal:
        """How it is refused."""
        try:
            self.check(said, **purchase)
        except Refusal as refusal:
            return refusal
        raise AssertionError("it passed")


Open = Callable[..., Desk]
"""Opens a desk of a kind; what more is said is said to ``Desk``."""


def solved_work(given: Mapping[str, Any]) -> str:
    """What the widget puts into the form."""
    challenge = altcha.Challenge.from_dict(dict(given))
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def altered(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The same payload of the widget with a change to it."""
    members = json.loads(base64.b64decode(text))
    change(members)
    return base64.b64encode(json.dumps(members).encode()).decode()


def asking(buyer: str = "ann", **more: str) -> Request:
    return Request(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_USER": buyer, "wsgi.input": io.BytesIO(), **more}
    )


def form(fields: Mapping[str, str]) -> Request:
    return posted(urlencode(fields).encode(errors="replace"), "application/x-www-form-urlencoded")


def posted(body: bytes, content_type: str, **more: str) -> Request:
    return Request(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/buy/kettle",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **more,
        }
    )
