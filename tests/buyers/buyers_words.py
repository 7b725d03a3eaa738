"""A legacy site that knows who is signed in, an issuer of tokens, and their keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jwt import encode
from stack.scripted import Request, Scripted, reply

SECRET = "the issuer's own secret, which the site knows, too"
PATIENCE = 20.0
"""Seconds for which a question is held back, at most."""

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
FOREIGN_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
"""Another's key under the same name."""
OLD_RSA = RSAKey.generate_key(2048, {"kid": "rsa-0"})
"""One that was rotated out."""
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
NEXT_EC = ECKey.generate_key("P-256", {"kid": "ec-2"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})
SHARED = OctKey.import_key(SECRET)

Key = RSAKey | ECKey | OctKey | OKPKey


def jwt(key: Key = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token for "alice" that would be believed, but for these claims (None leaves one out) and this header."""
    whole = {"sub": "alice", "aud": "shop", "iss": "https://login.test", "exp": int(time.time()) + 600} | claims
    head = {"alg": alg} | ({"kid": key.kid} if key.kid else {}) | (header or {})
    return encode(head, {name: value for name, value in whole.items() if value is not None}, key, algorithms=[alg])


def key_set(*keys: Key) -> bytes:
    """A JWK Set, as issuers publish it."""
    return json.dumps({"keys": [key.as_dict(private=isinstance(key, OctKey)) for key in keys]}).encode()


@dataclass
class LegacySite:
    """What the site says to who asks for ``/whoami``; all else it answers with its own words."""

    sessions: dict[str, str] = field(default_factory=dict)
    """The value of the cookie PHPSESSID → who is signed in."""
    keys: bytes = key_set(EC)
    """What it answers at ``/jwks``."""
    says: Callable[[str], bytes] | None = None
    """What it answers in place of the right answer, for a session."""
    held: Event | None = None
    """Answers wait for it."""

    def answer(self, request: Request) -> bytes | None:
        if self.held is not None and request.path.startswith("/whoami"):
            self.held.wait(PATIENCE)
        session = request.headers.get("cookie", "").partition("PHPSESSID=")[2].partition(";")[0]
        if request.path == "/jwks":
            return reply(200, self.keys, "application/json") if self.keys else reply(500, b"broken")
        if not request.path.startswith("/whoami"):
            return reply(200, b"the shop's own words")
        if self.says is not None:
            return self.says(session)
        who = self.sessions.get(session, "")
        if request.path == "/whoami/header":
            return reply(200, b"", "text/plain", *([f"X-User: {who}"] if who else []))
        if request.path == "/whoami/page":
            mark = f'<body data-user="{who}">' if who else "<body>"
            return reply(200, f"<!doctype html>{mark}<p>Hello".encode(), "text/html")
        if not who:
            return reply(302, b"", "text/html", "Location: /login")
        return reply(200, json.dumps({"user": {"id": who}}).encode(), "application/json")


def questions(scripted: Scripted, path: str = "/whoami") -> list[Request]:
    """What the site was asked at an address, so far."""
    return [request for request in scripted.requests if request.path.startswith(path)]
