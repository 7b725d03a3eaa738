"""Sells a million units by the ledger's own script, without anybody in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast

import redis
from hiredis import pack_command

from bench.figures import NotSound
from bench.stage import CLOCK
from seckill_sidecar.adapters.ledger import Keys, LedgerRules, Line, RedisLedger
from seckill_sidecar.adapters.ledger.line import RUN_ID
from seckill_sidecar.adapters.ledger.scripts import RESERVE, Script
from seckill_sidecar.clock import Deadline, order_ids
from seckill_sidecar.model import Purchase

_AT_ONCE = 500


def sell(url: str, prefix: str, sku: str, orders: int) -> None:
    """Let so many buyers have a unit each of an item that is on sale, and have all their orders handed off."""
    client = redis.Redis.from_url(url, socket_timeout=60.0, protocol=2)
    keys = Keys(prefix)
    client.script_load(RESERVE.source)
    calls = _calls(keys, str(client.info("server")["run_id"]), sku, orders)
    connection = client.connection_pool.get_connection()
    try:
        while batch := list(islice(calls, _AT_ONCE)):
            connection.send_packed_command([b"".join(batch)])  # type: ignore[no-untyped-call]
            for _ in batch:
                if (reply := connection.read_response())[0] != b"accepted":
                    raise NotSound(f"while filling, the script answered {reply}")
            client.xtrim(keys.of(sku, "outbox"), maxlen=0, approximate=False)
    finally:
        client.connection_pool.release(connection)
        client.close()


def _calls(keys: Keys, run_id: str, sku: str, orders: int) -> Iterator[bytes]:
    paper = _Paper()
    ledger = RedisLedger(cast(Line, paper), keys, LedgerRules(), CLOCK)
    new_id, deadline = order_ids(CLOCK), Deadline.after(3600.0, CLOCK)
    for number in range(orders):
        ledger.reserve(Purchase(new_id(sku), sku, f"buyer-{number}", 1, address="192.0.2.7"), deadline)
        yield paper.call.replace(RUN_ID.encode(), run_id.encode())


class _Paper:
    """A line that leads nowhere: it keeps the last call as it would be sent, and says that the item is closed."""

    call = b""

    def run(self, script: Script, keys: Sequence[str], argv: Sequence[Any], deadline: Deadline) -> list[bytes]:  # noqa: ARG002
        self.call = pack_command(("EVALSHA", script.sha, len(keys), *keys, *argv))
        return [b"closed"]
