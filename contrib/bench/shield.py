"""How true the shield is: ``python contrib/bench/shield.py --cycles 1000``.

Sells items out and gives their unit back, over and over, through a real nginx before ``seckill-sidecar serve`` with
two workers and a real Redis, and reads nginx's answers. The gate remembers nothing here (``remember_sold_out: 0``), so
that each "sold out" is the shield's or the ledger's. Prints one JSON object, times in seconds:

    cycles, answers
    set_p50, set_max          from the last unit's acceptance until nginx answers by itself
    back_p50, back_max        from a unit's return until it can be bought again
    falsely_max               age of the oldest "sold out" that was false: since the return of the unit
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a file; the servers stand beside its folder

from demo.line import Line, Reply
from demo.programs import Sidecar, run_command
from demo.site import Home
from stack import Nginx, Redis, eventually
from stack.scripted import Answering, Request, Scripted, answering, reply

from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, State
from seckill_sidecar.settings import Settings, load

CLOCK = SystemClock()
AT_ONCE = 8
PATIENCE = 30.0


@dataclass
class Site:
    """A running site, and its ledger seen from outside."""

    nginx: Nginx
    sidecar: Sidecar
    redis: Redis
    shop: Scripted
    shield: Path
    ledger: RedisLedger

    @property
    def keys(self) -> dict[str, bytes]:
        """The secrets that the shop knows, by key."""
        return {"bench": self.sidecar.home.secret.value.encode()}

    def open_sale(self, sku: str, units: int = 1) -> None:
        """Put an item on sale, that holds its units for an hour."""
        self.ledger.load(Item(sku, units, hold_ms=3_600_000), soon())

    def give_back(self, order_id: str) -> None:
        """Cancel an order; its unit is on sale again when this returns."""
        self.ledger.settle(order_id, State.CANCELLED, "", soon())

    def is_marked(self, sku: str, reason: str = "sold_out") -> bool:
        """Whether nginx answers for this item."""
        return (self.shield / reason / sku).exists()


def _pleased(_: Request) -> bytes:
    return reply(200, b"the shop")


@contextmanager
def running(folder: Path, shop: Answering = _pleased, **sections: dict[str, Any]) -> Iterator[Site]:
    """A site of two workers behind nginx, with these sections of its YAML changed."""
    with ExitStack() as opened:
        redis = opened.enter_context(Redis())
        legacy = opened.enter_context(answering(shop))
        home = Home(folder)
        sidecar = Sidecar(home)
        config = _config(redis.url, "{}:{}".format(*legacy.address), sidecar, folder)
        for name, section in sections.items():
            config[name] = config.get(name, {}) | section
        home.config.write_text(yaml.safe_dump(config, sort_keys=False))
        settings = load(home.config, os.environ | {"SECKILL_SECRET": home.secret.value})
        run_command(home, "migrate")
        opened.enter_context(sidecar)
        run_command(home, "nginx", "--output", str(folder))
        parts = f'include "{folder}/seckill.conf";', f'include "{folder}/seckill-upstream.conf";'
        nginx = opened.enter_context(Nginx(*parts))
        ledger = connect_ledger(_patient(settings), CLOCK)
        opened.callback(ledger.close)
        yield Site(nginx, sidecar, redis, legacy, folder / "shield", ledger)


def _config(redis: str, shop: str, sidecar: Sidecar, folder: Path) -> dict[str, Any]:
    route = {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}}
    return {
        "stores": {
            "redis": redis,
            "broker": "none",
            "database": f"sqlite:///{folder}/seckill.db",
            "storefront": f"http://{shop}",
        },
        "serve": {"listen": sidecar.url.removeprefix("http://"), "workers": 2},
        "shield": {"enabled": True, "folder": str(folder / "shield")},
        "keys": [{"id": "bench", "secret": "${SECKILL_SECRET}"}],
        "identity": {"buyer": {"header": "X-Buyer", "trust": "client"}},
        "routes": [{**route, "on_accept": "json"}, {**route, "name": "shop", "path": "/shop/{sku}"}],
        "settles": [{"name": "paid", "path": "/paid/{order}", "order": {"path": "order"}, "to": "paid"}],
        "limits": {"remember_sold_out": 0},
        "timeouts": {"ledger": "2s", "request": "10s"},  # this is no test of patience
    }


def _patient(settings: Settings) -> Settings:
    return settings.model_copy(update={"timeouts": settings.timeouts.model_copy(update={"ledger": 10.0})})


def soon() -> Deadline:
    """Ten seconds from now."""
    return Deadline.after(10.0, CLOCK)


@dataclass
class Found:
    """What the cycles of all items showed, in seconds."""

    set_after: list[float] = field(default_factory=list)
    back_after: list[float] = field(default_factory=list)
    falsely: list[float] = field(default_factory=list)
    """How long a unit had been back when "sold out" was said all the same."""
    answers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Cycles:
    """Buys one item's only unit and gives it back, over and over."""

    def __init__(self, site: Site, sku: str, found: Found) -> None:
        self._site = site
        self._sku = sku
        self._found = found
        self._line = Line(site.nginx.address, timeout=PATIENCE)

    def run(self, cycles: int) -> None:
        """So many sell-outs and returns of the unit."""
        self._site.open_sale(self._sku)
        order_id = self._buy_at_last(None)
        for _ in range(cycles):
            self._await_shield(time.monotonic())
            returned = time.monotonic()
            self._site.give_back(order_id)
            order_id = self._buy_at_last(returned)
        self._line.close()

    def _ask(self) -> Reply:
        with self._found.lock:
            self._found.answers += 1
        return self._line.ask("POST", f"/buy/{self._sku}", {"X-Buyer": "ann"})

    def _await_shield(self, sold: float) -> None:
        eventually(lambda: self._site.is_marked(self._sku), PATIENCE, "the marker is there")
        self._found.set_after.append(time.monotonic() - sold)
        told = self._ask()
        assert (told.status, _verdict(told)) == (409, "sold_out"), told

    def _buy_at_last(self, returned: float | None) -> str:
        """The order's id. What is said before is recorded by how long the unit had been back."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            told = self._ask()
            now = time.monotonic()
            if told.status == 201:
                if returned is not None:
                    self._found.back_after.append(now - returned)
                return str(json.loads(told.body)["order"])
            assert _verdict(told) == "sold_out", told
            if returned is not None:
                self._found.falsely.append(now - returned)
            time.sleep(0.005)
        raise TimeoutError(f"{self._sku} was not to be had again within {PATIENCE} s")


def _verdict(told: Reply) -> str:
    return str(json.loads(told.body)["verdict"])


def measure(site: Site, cycles: int, at_once: int = AT_ONCE) -> Found:
    """Run so many cycles in all, of several items at once."""
    found = Found()
    items = [Cycles(site, f"item-{i}", found) for i in range(at_once)]
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(item.run, -(-cycles // at_once)) for item in items]:
            done.result()
    return found


def main(words: Sequence[str]) -> int:
    """Measure and print; 1 if anything false was older than a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000)
    arguments = parser.parse_args(words)
    with TemporaryDirectory() as folder, running(Path(folder)) as site:
        found = measure(site, arguments.cycles)
    falsely = max(found.falsely, default=0.0)
    print(
        json.dumps(
            {
                "cycles": len(found.back_after),
                "answers": found.answers,
                "set_p50": round(statistics.median(found.set_after), 4),
                "set_max": round(max(found.set_after), 4),
                "back_p50": round(statistics.median(found.back_after), 4),
                "back_max": round(max(found.back_after), 4),
                "falsely_max": round(falsely, 4),
            }
        )
    )
    return 1 if falsely > 1.0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
