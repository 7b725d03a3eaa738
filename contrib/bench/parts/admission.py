"""What a purchase pays for its admission: the check of the token, in microseconds, beside that of a signed identity."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from statistics import median

from bench.figures import NotSound, Told
from bench.rounds import take_turns
from bench.stage import CLOCK
from seckill_sidecar.clock import Deadline, order_ids
from seckill_sidecar.gate.identify import Identifier
from seckill_sidecar.model import Admission
from seckill_sidecar.settings.schema import BuyerSource, Identity, Route, RouteAdmission, Source
from seckill_sidecar.wire.admissions import SECOND, sign_admission
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import BUYER, Keyring, SigningKey
from seckill_sidecar.wire.values import Values

TIMES, SPELLS, HOUR, SKU = 500, 60, 3600, "phone"
_BODY_LIMIT = 65536


def measure(rounds: int) -> Told:
    """In this process, by its own processor time; a round's figure is its best spell, which nobody else disturbed."""
    keyring = Keyring([SigningKey("a", b"0123456789abcdef0123456789abcdef")])
    ends = CLOCK.wall() + HOUR
    token = sign_admission(keyring, Admission("buyer-1", SKU, "0123456789ab", int(ends * SECOND)))
    signed = BuyerSource(cookie="seckill_buyer", trust="signed")
    route = Route(name="buy", path="/buy/{sku}", item=Source(path="sku"), admission=RouteAdmission(required=True))
    request = Request({
        "REQUEST_METHOD": "POST", "PATH_INFO": f"/buy/{SKU}", "HTTP_SECKILL_ADMISSION": token,
        "HTTP_COOKIE": f"seckill_buyer={keyring.sign(BUYER, 'buyer-1', ends)}",
    })  # fmt: skip
    reader = Values(request, {}, _BODY_LIMIT)
    deadline = Deadline.after(HOUR, CLOCK)
    identifier = Identifier(Identity(), keyring, _BODY_LIMIT, CLOCK, order_ids(CLOCK))
    if identifier.admission(reader, route).buyer != identifier.buyer(request, signed, deadline, reader):
        raise NotSound("the two tokens name different buyers")
    runs = take_turns(
        {
            "admission": lambda: _microseconds(lambda: identifier.admission(reader, route)),
            "signed identity": lambda: _microseconds(lambda: identifier.buyer(request, signed, deadline, reader)),
        },
        rounds,
    )
    told = Told()
    for name, found in runs.items():
        told.measured(name, found, "µs a check")
    told.figures["admission_check_us"] = median(runs["admission"])
    return told


def _microseconds(check: Callable[[], object]) -> float:
    return min(timeit.repeat(check, number=TIMES, repeat=SPELLS, timer=time.process_time)) / TIMES * 1e6
