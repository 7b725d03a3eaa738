"""What the doctor, who asks through nginx, is told: that the gate was reached, and what arrived there.

Nothing is decided. The request carries a token that only the site's own keys make, so nobody else gets this answer.
"""

from __future__ import annotations

import json
import resource

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.identify import AddressReader
from seckill_sidecar.gate.route import Routes
from seckill_sidecar.wire.answers import Answer
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import PROBE, InvalidToken, Keyring

ENVIRON = "HTTP_X_SECKILL_PROBE"
_AMBIGUOUS = "?"


class Probe:
    """Answers probes of one site."""

    def __init__(self, routes: Routes, addresses: AddressReader, keyring: Keyring, clock: Clock) -> None:
        self._routes = routes
        self._addresses = addresses
        self._keyring = keyring
        self._clock = clock

    def __call__(self, request: Request) -> Answer | None:
        """The answer; None if this is no probe of ours."""
        try:
            nonce = self._keyring.verify(PROBE, request.environ[ENVIRON], self._clock.wall())
        except (InvalidToken, UnicodeDecodeError):
            return None
        environ = request.environ
        told = {
            "probe": nonce,
            "route": self._route(request),
            "target": request.target,
            "host": environ.get("HTTP_HOST", ""),
            "trusted": self._addresses.is_trusted_peer(request),
            "let_through": _let_through(request, nonce),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        }
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        return Answer(200, headers, json.dumps(told).encode())

    def _route(self, request: Request) -> str:
        """The purchase's route, ``?`` if it is ambiguous, nothing if it is no purchase."""
        match = self._routes.match(request)
        if match is None:
            return ""
        return _AMBIGUOUS if match.fault is not None else match.route.name


def _let_through(request: Request, nonce: str) -> list[str]:
    """The headers in which the nonce arrived: it is all that this client says of itself."""
    named = [name for name, value in request.environ.items() if name.startswith("HTTP_") and nonce in value]
    return sorted(name.removeprefix("HTTP_").replace("_", "-").lower() for name in named)
