"""The demo's old shop, which sells to everybody, and a sidecar of two workers in front of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from demo.line import Line, Reply
from demo.plan import SKU, Attempt
from demo.play import Sale, Told
from demo.programs import COMMAND, OldShop, Sidecar, run_command
from demo.site import Home
from prometheus_client.parser import text_string_to_metric_families
from stack import eventually
from stack.ports import HOST, free_port

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, ItemView
from seckill_sidecar.settings import load
from seckill_sidecar.wiring import Site

TOKEN = "the operator's own token"
WORKERS = 2
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_numbers = count(1)


class UnsignedShop(OldShop):
    """The shop as it was before there was a gate."""

    def command(self) -> list[str]:
        return [*super().command(), "--unsigned"]


@dataclass
class CanarySite:
    """A site whose one route, ``buy``, is treated as a test wants it."""

    folder: Path
    stores: dict[str, str]
    changes: dict[str, Any] = field(default_factory=dict)
    running: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.no = next(_numbers)
        self.home = Home(self.folder)
        self.shop, self.sidecar = UnsignedShop(self.home), Sidecar(self.home)
        self.operators_port = free_port()
        self.configure()
        self.site = Site(load(self.home.config, self.sidecar.environment()))
        self.site.orders.migrate()

    def configure(self, **route: Any) -> None:
        """Write the YAML, with these keys of the route."""
        settings: dict[str, Any] = {
            "stores": {**self.stores, "storefront": self.shop.url},
            "serve": {"listen": f"{HOST}:{self.sidecar.port}", "workers": WORKERS},
            "operator": {"listen": f"{HOST}:{self.operators_port}", "token": TOKEN},
            "metrics": {"folder": str(self.folder / "metrics")},
            "keys": [{"id": self.home.secret.key, "secret": "${SECKILL_SECRET}"}],
            "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
            "routes": [
                {
                    "name": "buy",
                    "path": "/buy/{sku}",
                    "item": {"path": "sku"},
                    "quantity": {"form": "quantity", "default": 1},
                    **route,
                }
            ],
            "limits": {"remember_sold_out": 0},  # what a process remembers hangs on the clock
            "timeouts": {"request": "20s", "ledger": "5s", "broker": "5s"},  # no test of patience
            "ledger": {"prefix": f"canary-{self.no}"},
            "broker": {part: f"canary-{self.no}.{part}" for part in ("exchange", "queue", "parked")},
            "log": {"level": "debug", "format": "json"},
        } | self.changes
        self.home.config.write_text(yaml.safe_dump(settings, sort_keys=False))

    def start(self, **route: Any) -> CanarySite:
        """Run it."""
        self.configure(**route)
        for program in (self.shop, self.sidecar):
            self.running.enter_context(program)
        return self

    def close(self) -> None:
        self.running.close()
        self.site.ledger.close()
        self.site.orders.close()

    # -- what operators do

    def load(self, total: int, per_buyer: int = 1, sku: str = SKU) -> None:
        """Put the item on sale."""
        self.site.ledger.load(Item(sku, total, per_buyer=per_buyer), soon())

    def say(self, *words: str) -> None:
        """``seckill-sidecar …``"""
        run_command(self.home, *words)

    def switch(self, *words: str) -> None:
        """``seckill-sidecar route buy …``, and wait until each worker has said that it follows."""
        before = self.sidecar.log.stat().st_size
        self.say("route", "buy", *words)
        (one,) = self.status()["routes"]
        share = f" for {one['percent']} %" if one["percent"] < 100 else ""
        line = f"route buy is now: {one['mode']}{share}"
        eventually(lambda: self.said(line, since=before) == WORKERS, 30, "all workers follow")

    def status(self) -> Any:
        """What ``seckill-sidecar status --json`` tells."""
        command = [*COMMAND, "status", "--json", "-c", str(self.home.config)]
        done = subprocess.run(command, env=self.sidecar.environment(), capture_output=True, timeout=60, check=False)
        return json.loads(done.stdout)

    def reload(self, **route: Any) -> None:
        """Change the YAML and hang up; wait until only new workers are there."""
        self.configure(**route)
        old = set(self.workers())
        os.kill(self.master, signal.SIGHUP)
        eventually(lambda: len(self.workers()) == WORKERS and not old & set(self.workers()), 60, "new workers")

    @property
    def master(self) -> int:
        return self.sidecar.pid

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return [int(pid) for pid in children.split()]

    # -- what buyers do

    def play(self, attempts: list[Attempt]) -> list[Told]:
        """One request after the other; what each was told, in their order."""
        sale = Sale(self.sidecar.address, self.home.secret.cookie)
        sale.play(attempts, 1, lambda _: None)
        return sale.told

    def buy(self, buyer: str | None = "ann", path: str = f"/buy/{SKU}", body: bytes = b"quantity=1") -> Reply:
        """One purchase; of nobody if there is no buyer."""
        headers = FORM | ({"Cookie": self.home.secret.cookie(buyer)} if buyer else {})
        with closing(Line(self.sidecar.address)) as line:
            return line.ask("POST", path, headers, body)

    # -- what is to be seen

    def said(self, words: str, since: int = 0) -> int:
        """How many lines of the sidecar's log have these words in them, from this byte on."""
        said = self.sidecar.log.read_bytes()[since:].decode(errors="replace")
        return sum(words in line for line in said.splitlines())

    def decisions(self) -> list[dict[str, Any]]:
        """The lines of the log about purchases."""
        lines = self.sidecar.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["message"] == "decided"]

    def view(self) -> ItemView:
        """The real item."""
        view = self.site.ledger.item(SKU, soon())
        assert view is not None
        assert view.balanced
        return view

    def counted(self, name: str) -> dict[tuple[str, ...], float]:
        """A counter of the site, by the values of its labels in the order of their names."""
        connection = HTTPConnection(HOST, self.operators_port, timeout=30)
        with closing(connection):
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
            text = connection.getresponse().read().decode()
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def expect_untouched(self, total: int) -> None:
        """The real ledger, its outbox, RabbitMQ and the database have never heard of a purchase."""
        view = self.view()
        assert (view.free, view.held, view.paid, view.seq, view.chain) == (total, 0, 0, 0, 0)
        assert self.site.ledger.outbox_depth(SKU, soon()) == (0, 0)
        assert list(self.site.ledger.orders(SKU)) == []
        assert self.site.lookout.look().queue in (0, None)
        assert list(self.site.orders.orders(SKU)) == []
        self.say("audit", "--patience", "1s")


NewSite = Callable[..., CanarySite]
"""Makes a site: ``new_site(limits={…}).start(mode="shadow")``."""


def soon() -> Deadline:
    return Deadline.after(10, SystemClock())


def is_the_shops(reply: Reply) -> bool:
    """Whether the shop itself sold it, without a sign of the gate."""
    fields = {name for name, _ in reply.headers}
    return reply.status == 200 and b'data-order="shop-' in reply.body and not fields & {"set-cookie", "location"}
