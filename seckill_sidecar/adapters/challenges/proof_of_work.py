"""Proof of work, as the ALTCHA widget does it (its second protocol): the only file that imports altcha.

A challenge is given with the beginning of a derived key; the browser looks for the number from which PBKDF2 derives it.
Who gave it can tell the whole key by a signature of its own, so that examining costs two HMACs and no derivation.
"""

from __future__ import annotations

import hmac
import secrets as randomness
from collections.abc import Mapping, Sequence
from typing import Any

import altcha

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import Unsolved
from seckill_sidecar.ports import Aim, Solved
from seckill_sidecar.settings.challenges import AltchaSettings

_ALGORITHM = "PBKDF2/SHA-256"
_LONGEST = 4096
_DIGEST = 64
"""Hex digits of a signature."""


class ProofOfWork:
    """``ports.Challenge`` that costs a client some computing, and a person nothing."""

    def __init__(self, settings: AltchaSettings, secrets: Sequence[bytes], lifetime: float, clock: Clock) -> None:
        """``lifetime`` in seconds, from giving to using."""
        self._settings = settings
        self._secrets = [(secret, hmac.digest(secret, b"derived key", "sha256")) for secret in secrets]
        self._lifetime = lifetime
        self._clock = clock

    def give(self, route: str, seal: str) -> Mapping[str, Any]:
        """A new challenge, as the widget takes it."""
        del route  # the seal says it
        secret, of_keys = self._secrets[0]
        challenge = altcha.create_challenge(
            _ALGORITHM,
            self._settings.rounds,
            counter=randomness.randbelow(self._settings.tries),
            expires_at=int(self._clock.wall() + self._lifetime),
            data={"for": seal},
            hmac_secret=secret,
            hmac_key_secret=of_keys,
        )
        return challenge.to_dict()

    def examine(self, said: Mapping[str, str], aim: Aim, deadline: Deadline) -> Solved:
        """The solution, if it is one."""
        del deadline  # nobody is asked
        payload = _payload(said.get("solution", ""))
        solution = f"altcha {payload.challenge.signature}"
        results = [altcha.verify_solution(payload, secret, hmac_key_secret=keys) for secret, keys in self._secrets]
        if any(result.expired for result in results):
            raise Unsolved("the solution has expired", solution)
        if not any(result.verified for result in results):
            raise Unsolved("the solution is wrong")
        parameters = payload.challenge.parameters  # as we signed them
        if int(parameters.expires_at or 0) <= self._clock.wall():
            raise Unsolved("the solution has expired", solution)
        sealed = str((parameters.data or {}).get("for", ""))
        if not any(hmac.compare_digest(sealed, seal) for seal in aim.seals):
            raise Unsolved("the solution is of another challenge than this purchase needs")
        return Solved(solution, float(parameters.expires_at or 0))


def _payload(text: str) -> altcha.Payload:
    if not text:
        raise Unsolved("no solution was sent")
    if len(text) > _LONGEST:
        raise Unsolved("the solution is too long")
    try:
        payload = altcha.Payload.from_base64(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unsolved("the solution can't be read") from error
    signature: object = payload.challenge.signature
    if not isinstance(signature, str) or len(signature) != _DIGEST or not signature.isascii():
        raise Unsolved("the solution can't be read")
    return payload
