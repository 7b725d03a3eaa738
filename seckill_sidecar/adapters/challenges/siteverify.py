"""Challenges of Turnstile and hCaptcha, which tell by HTTPS whether a solution is one.

The only file that imports urllib3. Certificates are verified against the system's authorities; what is read is bounded.
urllib3 works on Python's own sockets, which gevent patches.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, StoreDown, StoreError, Unsolved
from seckill_sidecar.ports import Aim, Breaker, Solved
from seckill_sidecar.settings.challenges import SiteverifySettings

TURNSTILE = "turnstile"
_SOLUTION = re.compile(r"[!-~]{1,4096}", re.ASCII)
_MOST = 16_384
"""Bytes of an answer."""
_PIECE = 4096
_LIFE = 600.0
"""Seconds after which neither of the two knows a solution any more."""
_FAULTS_OF_SOLUTIONS = frozenset(
    [
        "missing-input-response",
        "invalid-input-response",
        "expired-input-response",
        "already-seen-response",
        "invalid-or-already-seen-response",
        "timeout-or-duplicate",
        "bad-request",
    ]
)
"""What a client can bring about; all other errors are between that service and this site."""


class Siteverify:
    """``ports.Challenge`` of somebody else."""

    def __init__(self, kind: str, settings: SiteverifySettings, breaker: Breaker, connect: float, most: int) -> None:
        """See ``siteverify`` in ``__init__``."""
        self._kind = kind
        self._settings = settings
        self._breaker = breaker
        self._connect = connect
        self._path = urlsplit(settings.url).path or "/"
        self._pool = urllib3.connection_from_url(settings.url, maxsize=most, retries=False)
        self._secret = settings.secret.get_secret_value() if settings.secret is not None else ""

    def give(self, route: str, seal: str) -> Mapping[str, Any]:
        """What the widget needs to know; the challenge itself it gets from its service."""
        settings = self._settings
        given = {"sitekey": settings.site_key, "script": settings.script}
        return given | ({"action": route, "cdata": seal} if self._kind == TURNSTILE else {})

    def examine(self, said: Mapping[str, str], aim: Aim, deadline: Deadline) -> Solved:
        """The solution, if the service says that it is one; or if nothing can be said, and those are admitted."""
        text = said.get("solution", "")
        if not text:
            raise Unsolved("no solution was sent")
        if _SOLUTION.fullmatch(text) is None:
            raise Unsolved("the solution can't be read")
        solution = f"{self._kind} {hashlib.sha256(text.encode()).hexdigest()}"
        solved = Solved(solution, deadline.clock.wall() + _LIFE)
        try:
            with self._breaker.calling():
                told = self._told(text, deadline)
        except StoreError:
            if self._settings.on_down == "admit":
                return solved
            raise
        if told.get("success") is not True:
            # Perhaps it was true a moment ago, and its purchase is sent again.
            raise Unsolved("the solution is wrong, too old, or was used already", solution)
        self._refuse_foreign(told, aim)
        return solved

    def _refuse_foreign(self, told: Mapping[str, Any], aim: Aim) -> None:
        hostnames = self._settings.hostnames
        if hostnames and told.get("hostname") not in hostnames:
            raise Unsolved("the solution is of another site")
        if self._kind == TURNSTILE and (told.get("action") != aim.route or told.get("cdata") not in aim.seals):
            raise Unsolved("the solution is of another challenge than this purchase needs")

    def _told(self, text: str, deadline: Deadline) -> Mapping[str, Any]:
        """What the service says of a solution; raises ``StoreError`` if it says nothing of it."""
        fields = {"secret": self._secret, "response": text}
        if self._kind == TURNSTILE:
            # It says of a repeated question what it said before, so that a lost answer costs nobody a solution.
            fields["idempotency_key"] = str(uuid.uuid5(uuid.NAMESPACE_OID, text))
        else:
            fields["sitekey"] = self._settings.site_key or ""
        status, body = self._post(urlencode(fields), deadline)
        told = _members(body)
        if not isinstance(told.get("success"), bool):
            raise StoreDown(self._kind, f"it answered {status}, and nothing that can be read")
        codes = told.get("error-codes")
        errors = {str(code)[:40] for code in codes[:10]} if isinstance(codes, list) else set()
        if not told["success"] and (not errors or errors - _FAULTS_OF_SOLUTIONS):
            raise StoreDown(self._kind, f"it refuses to say: {', '.join(sorted(errors)) or 'without a reason'}")
        return told

    def _post(self, body: str, deadline: Deadline) -> tuple[int, bytes]:
        seconds = deadline.within(self._settings.timeout)
        if seconds <= 0:
            raise DeadlinePassed(self._kind, "the request's time was over; nothing was sent")
        ours = Deadline.after(seconds, deadline.clock)
        try:
            response = self._pool.urlopen(
                "POST",
                self._path,
                body=body,
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                timeout=urllib3.Timeout(connect=min(self._connect, seconds), total=seconds),
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError) as error:
            raise StoreDown(self._kind, f"can't connect: {error}") from error
        except urllib3.exceptions.SSLError as error:
            raise StoreDown(self._kind, f"its certificate is not accepted: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknown(self._kind, str(error)) from error
        return response.status, self._read(response, ours)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
        body = b""
        try:
            while piece := response.read1(_PIECE):
                body += piece
                if len(body) > _MOST:
                    raise StoreDown(self._kind, f"it answered more than {_MOST} bytes")
                if deadline.passed():
                    raise OutcomeUnknown(self._kind, "its answer did not end in time")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknown(self._kind, str(error)) from error
        except StoreError:
            response.close()  # unread to its end, the connection can't be used again
            raise
        response.release_conn()
        return body


def _members(body: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}
