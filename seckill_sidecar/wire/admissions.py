"""Admissions as tokens: given before the rush, at leisure, and checked in its midst by one HMAC.

The payload is item, nonce and buyer, a line each; the expiry is the token's own, in whole seconds.
"""

from __future__ import annotations

from seckill_sidecar.model import Admission
from seckill_sidecar.wire.tokens import ADMISSION, InvalidToken, Keyring

SECOND = 1000


def sign_admission(keyring: Keyring, admission: Admission) -> str:
    """The token of an admission; what is less than a second of its time is left away."""
    payload = f"{admission.item}\n{admission.nonce}\n{admission.buyer}"
    return keyring.sign(ADMISSION, payload, admission.until_ms // SECOND)


def read_admission(keyring: Keyring, token: str, now: float) -> Admission:
    """The admission that a token of ours stands for; raises ``InvalidToken`` if it is none, or has ended."""
    try:
        payload, expires = keyring.open(ADMISSION, token, now)
        item, nonce, buyer = payload.split("\n", 2)
    except ValueError as error:  # signed by us, and yet in another form: by a newer program, say
        raise InvalidToken("it is no admission that this program knows") from error
    return Admission(buyer, item, nonce, expires * SECOND)
