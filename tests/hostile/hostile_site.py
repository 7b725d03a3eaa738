"""A site to be attacked: the real sidecar, a real nginx with the generated configuration, and a shop that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from demo.programs import Sidecar, run_command
from demo.site import Home
from hostile_words import SKU
from stack import Nginx, Redis
from stack.guard import descendants
from stack.scripted import Scripted, answering, reply

from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, ItemView
from seckill_sidecar.settings import load

CLOCK = SystemClock()
UNITS = 100_000
ROUTES: list[dict[str, Any]] = [
    {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "quantity": {"form": "quantity", "default": 1}},
    {
        "name": "php",
        "path": "/index.php",
        "query": {"route": "checkout/confirm"},
        "item": {"form": "product_id"},
        "quantity": {"form": "quantity", "default": 1},
    },
    {"name": "json", "path": "/api/buy", "item": {"json": "cart.0.sku"}, "quantity": {"json": "cart.0.quantity"}},
    {"name": "form", "path": "/action", "form": {"do": "buy"}, "item": {"form": "sku"}},
    {"name": "put", "path": "/cart/{sku}", "methods": ["PUT"], "item": {"path": "sku"}},
    {
        "name": "query",
        "path": "/q",
        "methods": ["GET", "POST"],
        "item": {"query": "sku"},
        "quantity": {"query": "n", "default": 1},
    },
]


@dataclass(frozen=True, slots=True)
class Site:
    """The running site."""

    nginx: Nginx
    sidecar: Sidecar
    shop: Scripted
    ledger: RedisLedger
    cookie: str
    """A buyer's, who may buy."""

    def view(self) -> ItemView:
        """The item on sale, as the ledger has it."""
        found = self.ledger.item(SKU, Deadline.after(10.0, CLOCK))
        assert found is not None
        return found

    def processes(self) -> set[int]:
        """All of nginx's and the sidecar's."""
        return {*descendants(self.nginx.pid), *descendants(self.sidecar.pid)}


@contextmanager
def running(folder: Path, **sections: dict[str, Any]) -> Iterator[Site]:
    """A site with one item on sale; these sections of its YAML are added."""
    with ExitStack() as opened:
        redis = opened.enter_context(Redis())
        shop = opened.enter_context(answering(lambda _: reply(200, b"the shop")))
        home = Home(folder)
        sidecar = Sidecar(home)
        config = {
            "stores": {
                "redis": redis.url,
                "broker": "none",
                "database": f"sqlite:///{folder}/seckill.db",
                "storefront": "http://{}:{}".format(*shop.address),
            },
            "serve": {"listen": sidecar.url.removeprefix("http://"), "workers": 2},
            "keys": [{"id": "demo", "secret": "${SECKILL_SECRET}"}],
            "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
            "routes": ROUTES,
            "limits": {"wait": "60s"},
            "timeouts": {"ledger": "10s", "request": "30s"},  # this is no test of patience
            "log": {"level": "debug"},
        } | sections
        home.config.write_text(yaml.safe_dump(config, sort_keys=False))
        run_command(home, "migrate")
        opened.enter_context(sidecar)
        run_command(home, "nginx", "--output", str(folder))
        location = "location / {{ proxy_pass http://{}:{}; }}".format(*shop.address)
        server, http = f'include "{folder}/seckill.conf"; {location}', f'include "{folder}/seckill-upstream.conf";'
        nginx = opened.enter_context(Nginx(server, http))
        environ = sidecar.environment()
        ledger = connect_ledger(load(home.config, environ), CLOCK)
        opened.callback(ledger.close)
        ledger.load(Item(SKU, UNITS, per_buyer=9999, hold_ms=3_600_000), Deadline.after(10.0, CLOCK))
        yield Site(nginx, sidecar, shop, ledger, home.secret.cookie("mallory"))
