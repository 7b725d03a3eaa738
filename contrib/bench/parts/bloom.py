"""A list of a million invited buyers: its size in file and in Redis, strangers that pass it, the cost of a check."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
from stack import Redis

from bench.figures import NotSound, Told
from bench.stage import CLOCK, safe_redis
from seckill_sidecar.adapters.invited_list import BloomList, read_list
from seckill_sidecar.adapters.ledger import connect_invitations
from seckill_sidecar.clock import Deadline
from seckill_sidecar.ports import InvitedList
from seckill_sidecar.settings import loads

SKU = "phone"
INVITED = STRANGERS = 1_000_000
_PORTION = 50_000


def measure(rounds: int) -> Told:  # noqa: ARG001 - once: chance is in the salt, not in the machine
    """Made, written and read again; then a million who are not invited ask."""
    told = Told()
    with TemporaryDirectory() as folder, safe_redis() as server:
        path = str(Path(folder) / "list")
        new = BloomList.new(SKU, "bench", os.urandom(16), INVITED)
        ledger_mb = _filled(server, new)
        file_mb = new.write(path) / 1e6
        made = read_list(path, SKU)
    strangers = [f"stranger-{no}" for no in range(STRANGERS)]
    if not all(made.seat(buyer) is not None for buyer in _buyers()):
        raise NotSound("somebody who is invited does not pass the filter")
    microseconds, passed = _checked(made, strangers)
    told.measured("file", [file_mb], "MB")
    told.measured("the same in Redis, exactly", [ledger_mb], "MB")
    told.measured("strangers that pass the file", [passed], f"of {STRANGERS:,}")
    told.measured("one check", [microseconds], "µs of CPU")
    told.figures |= {
        "bloom_mb": file_mb,
        "bloom_false_percent": 100 * passed / STRANGERS,
        "bloom_check_us": microseconds,
        "bloom_ledger_mb": ledger_mb,
    }
    return told


def _buyers() -> Iterator[str]:
    return (f"buyer-{no}" for no in range(INVITED))


def _filled(server: Redis, new: BloomList) -> float:
    """The megabytes that Redis takes for all of them."""
    settings = loads(f'stores: {{redis: "{server.url}"}}\ntimeouts: {{ledger: 3s}}', "bench.yaml", {})
    invitations = connect_invitations(settings, CLOCK)
    before, buyers, taken = _memory(server), _buyers(), 0
    while seats := [new.add(buyer) for buyer in islice(buyers, _PORTION)]:
        taken += invitations.add(new.generation, seats, Deadline.after(60.0, CLOCK))
    invitations.finish(new.generation, 1, Deadline.after(5.0, CLOCK))
    invitations.close()
    if taken != INVITED:
        raise NotSound(f"{INVITED - taken} buyers share a seat with another")
    return (_memory(server) - before) / 1e6


def _memory(server: Redis) -> int:
    """Bytes that it uses."""
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("memory")["used_memory"])


def _checked(made: InvitedList, buyers: Iterable[str]) -> tuple[float, int]:
    """Microseconds of one check, and how many of these passed."""
    began, asked, passed = time.process_time(), 0, 0
    for buyer in buyers:
        asked += 1
        passed += made.seat(buyer) is not None
    return (time.process_time() - began) * 1e6 / asked, passed
