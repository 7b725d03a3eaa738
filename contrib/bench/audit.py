"""How long an audit and a rebuild take, and how much memory:
``python contrib/bench/audit.py --orders 1000000 --database sqlite``.

Fills a private Redis and a private MariaDB (or SQLite) with a finished sale, runs ``seckill-sidecar audit`` on it,
empties Redis, runs ``seckill-sidecar rebuild`` and audits again, each as a process of its own. Prints one JSON object:
orders, database, filled_s, audit_s, audit_rss_mb, rebuild_s, rebuild_rss_mb, balanced (of both audits).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a file; the private servers stand beside its folder

from stack import MariaDB, Redis  # noqa: E402

from seckill_sidecar.adapters.ledger import Keys  # noqa: E402
from seckill_sidecar.clock import Deadline, SystemClock, order_ids  # noqa: E402
from seckill_sidecar.model import Event, EventKind, Item, Order, State  # noqa: E402
from seckill_sidecar.settings import loads  # noqa: E402
from seckill_sidecar.wiring import Site  # noqa: E402

SKU = "sneaker"
BATCH = 2000
CLOCK = SystemClock()
KINDS = (EventKind.ACCEPTED, EventKind.PAID, EventKind.PAID, EventKind.EXPIRED)
"""What became of the first order, the second, and so on: a quarter held, half paid, a quarter expired."""

CONF = """
stores: {{redis: "{redis}", broker: none, database: "{database}"}}
timeouts: {{ledger: 5s, request: 10s, database: 60s}}
keys: [{{id: "1", secret: 0123456789abcdef0123456789abcdef}}]
identity: {{buyer: {{header: X-User-Id, trust: proxy}}}}
items: [{{sku: sneaker, total: {orders}}}]
"""


def main() -> int:
    """Measure and print."""
    arguments = parse(sys.argv[1:])
    result = measure(arguments.orders, arguments.database)
    print(json.dumps(result))
    return 0 if result["balanced"] else 1


def measure(orders: int, database: str, rebuilds: bool = True) -> dict[str, object]:
    """Fill, audit; and if wanted lose the ledger, rebuild, and audit again."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        url = f"sqlite:///{folder / 'orders.db'}"
        if database == "mariadb":
            url = opened.enter_context(MariaDB()).create_database("bench")
        conf = folder / "bench.yaml"
        server = opened.enter_context(Redis(appendonly="yes", appendfsync="always"))
        conf.write_text(CONF.format(redis=server.url, database=url, orders=orders))
        began = time.monotonic()
        fill(Site(loads(conf.read_text(), str(conf), {})), orders)
        result: dict[str, object] = {"orders": orders, "database": database}
        result["filled_s"] = round(time.monotonic() - began, 1)
        result["audit_s"], result["audit_rss_mb"], report = run(conf, "audit", "--json")
        reports = [report]
        if rebuilds:
            server.flush()
            result["rebuild_s"], result["rebuild_rss_mb"], _ = run(conf, "rebuild", SKU, "--apply", "--open")
            reports.append(run(conf, "audit", "--json")[2])
    return result | {"balanced": all(json.loads(report)["balanced"] for report in reports)}


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--database", choices=["mariadb", "sqlite"], default="mariadb")
    return parser.parse_args(words)


def fill(site: Site, orders: int) -> None:
    """Put a finished sale into both stores: the ledger by pipelines, past its scripts; the database by its writer."""
    site.orders.migrate()
    site.ledger.load(Item(SKU, orders), Deadline.after(10, CLOCK))
    client, keys = redis.Redis.from_url(site.settings.stores.redis), Keys(site.settings.ledger.prefix)
    events = sale(orders)
    while batch := list(islice(events, BATCH)):
        records = {event.order.id: record(event) for event in batch}
        client.hset(keys.of(SKU, "orders"), items=list(chain.from_iterable(records.items())))
        site.orders.write(batch)
    held, paid = (
        sum(KINDS[number % 4].state is state for number in range(orders)) for state in (State.HELD, State.PAID)
    )
    units = {"free": orders - held - paid, "held": held, "paid": paid, "seq": orders}
    client.hset(keys.of(SKU, "item"), items=list(chain.from_iterable(units.items())))
    client.close()
    site.orders.close()
    site.ledger.close()


def sale(orders: int) -> Iterator[Event]:
    """The last event of each order."""
    new_id, now_ms = order_ids(CLOCK), int(CLOCK.wall() * 1000)
    for number in range(orders):
        kind = KINDS[number % 4]
        order = Order(new_id(SKU), SKU, 1, number + 1, f"buyer-{number}", 1, kind.state, now_ms, now_ms + 900_000)
        yield Event(kind, 1 if kind is EventKind.ACCEPTED else 2, order, orders, now_ms)


def record(event: Event) -> str:
    """The order as the scripts record it."""
    order = event.order
    fields = {
        "buyer": order.buyer, "quantity": order.quantity, "seq": order.seq, "state": order.state.value,
        "at": order.accepted_at_ms, "due": order.due_at_ms, "no": event.no, "total": event.total,
        "chain": order.seq, "prev": "0" * 40,
    }  # fmt: skip
    return json.dumps(fields, separators=(",", ":"))


_RUN_AND_MEASURE = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(ended.returncode)
"""
"""For a process between: to a child, Linux counts also what its parent had in use when it began."""


def run(conf: Path, *words: str) -> tuple[float, float, bytes]:
    """Run a command; its seconds, its peak of memory in MB, and what it printed."""
    command = [sys.executable, "-m", "seckill_sidecar", *words, "-c", str(conf)]
    peak = conf.with_name("peak")
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", _RUN_AND_MEASURE, str(peak), *command], stdout=subprocess.PIPE, check=False
    )
    return round(time.monotonic() - began, 1), round(int(peak.read_text()) / 1024, 1), ended.stdout


if __name__ == "__main__":
    sys.exit(main())
