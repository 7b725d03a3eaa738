"""Challenges to read what a picture shows. The answer is nowhere kept: a signed token carries a keyed hash of it.

    token = seal, nonce, HMAC(nonce, answer)        signed, and expiring

A token is good for one try: a wrong answer spends it, or a program would try them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as system
from collections.abc import Callable, Mapping
from typing import Any

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import TooBusy, Unsolved
from seckill_sidecar.ports import Aim, Pictures, Solved
from seckill_sidecar.wire.tokens import InvalidToken, Keyring

_PURPOSE = "picture"
_LONGEST_TOKEN = 1024
_LONGEST_ANSWER = 64


class PictureChallenge:
    """``ports.Challenge`` of pictures."""

    def __init__(
        self,
        pictures: Pictures,
        keyring: Keyring,
        lifetime: float,
        clock: Clock,
        new_nonce: Callable[[], str] = lambda: system.token_hex(16),
    ) -> None:
        """``lifetime`` in seconds, from giving to using."""
        self._pictures = pictures
        self._keyring = keyring
        self._secrets = keyring.secrets(_PURPOSE)
        self._lifetime = lifetime
        self._clock = clock
        self._new_nonce = new_nonce

    def give(self, route: str, seal: str) -> Mapping[str, Any]:
        """A picture as a ``data:`` URL, and its token."""
        del route  # the seal says it
        picture = self._pictures.pick()
        if picture is None:
            raise TooBusy("pictures", "none is drawn yet")
        nonce = self._new_nonce()
        payload = f"{seal} {nonce} {_hash(self._secrets[0], nonce, picture.answer)}"
        token = self._keyring.sign(_PURPOSE, payload, self._clock.wall() + self._lifetime)
        return {"challenge": token, "image": "data:image/png;base64," + base64.b64encode(picture.png).decode()}

    def examine(self, said: Mapping[str, str], aim: Aim, deadline: Deadline) -> Solved:
        """The solution, if it is the answer."""
        del deadline  # nobody is asked
        token, answer = said.get("challenge", ""), said.get("solution", "")
        if not token or not answer:
            raise Unsolved("no solution was sent")
        if len(token) > _LONGEST_TOKEN or len(answer) > _LONGEST_ANSWER:
            raise Unsolved("the solution is too long")
        seal, nonce, hashed = self._given(token)
        solution = f"picture {nonce}"
        if not any(hmac.compare_digest(seal, other) for other in aim.seals):
            raise Unsolved("the solution is of another challenge than this purchase needs")
        meant = "".join(answer.split()).upper()
        if not any(hmac.compare_digest(hashed, _hash(secret, nonce, meant)) for secret in self._secrets):
            raise Unsolved("this is not what the picture shows", solution, spent=True)
        if self._expiry(token) <= self._clock.wall():
            raise Unsolved("the solution has expired", solution)
        return Solved(solution, self._expiry(token))

    def _given(self, token: str) -> tuple[str, str, str]:
        try:
            # Whether it has expired is asked last: a purchase that is sent again is known by what its token says.
            seal, nonce, hashed = self._keyring.verify(_PURPOSE, token, 0.0).split(" ")
        except (InvalidToken, ValueError) as error:
            raise Unsolved("the solution can't be read") from error
        return seal, nonce, hashed

    def _expiry(self, token: str) -> float:
        return float(token.split(".")[2])


def _hash(secret: bytes, nonce: str, answer: str) -> str:
    return hmac.digest(secret, f"{nonce}\n{answer}".encode(errors="replace"), hashlib.sha256).hex()[:32]
