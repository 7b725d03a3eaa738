"""The servers of a benchmark, and a site on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from stack import Redis

from bench.programs import WORKERS, Sidecar
from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item
from seckill_sidecar.settings import loads
from seckill_sidecar.settings.schema import Settings

CLOCK = SystemClock()
_NOWHERE = "http://127.0.0.1:9"


def safe_redis() -> Redis:
    """Redis as the sidecar wants it in production."""
    return Redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")


PATIENT: Mapping[str, Any] = {"timeouts": {"request": "20s", "ledger": "10s", "broker": "10s"}}
"""For what measures work and not waiting: whatever else the machine does must not end the run."""


class Site:
    """A sidecar and its ledger."""

    def __init__(self, folder: Path, stores: Mapping[str, str], more: Mapping[str, Any]) -> None:
        """``more`` goes into the YAML as it is."""
        self.sidecar = Sidecar(folder / "seckill.yaml")
        listen = self.sidecar.url.removeprefix("http://")
        text = yaml.safe_dump(_config(stores, listen) | dict(more), sort_keys=False)
        self.sidecar.config.write_text(text)
        self.settings: Settings = loads(text, "seckill.yaml", {})
        self.ledger: RedisLedger = connect_ledger(self.settings, CLOCK)

    def open_sale(self, sku: str, total: int) -> None:
        """Put an item on sale, anew if it was before."""
        item = Item(sku, total, hold_ms=86_400_000)
        self.ledger.load(item, _patient())

    def sold(self, sku: str) -> int:
        """How many orders were accepted."""
        view = self.ledger.item(sku, _patient())
        return 0 if view is None else view.seq

    def clear(self, redis: Redis) -> None:
        """Forget all that was sold."""
        redis.flush()
        self.ledger.forget()


@contextmanager
def open_site(stores: Mapping[str, str], shield: bool = False, **more: Any) -> Iterator[Site]:
    """Start a sidecar on these stores."""
    with TemporaryDirectory(prefix="bench-") as folder:
        if shield:
            more["shield"] = {"enabled": True, "folder": f"{folder}/shield"}
        site = Site(Path(folder), {"storefront": _NOWHERE, "database": f"sqlite:///{folder}/orders.db", **stores}, more)
        try:
            with site.sidecar:
                yield site
        finally:
            site.ledger.close()


def _config(stores: Mapping[str, str], listen: str) -> dict[str, Any]:
    """What the README has a site say, but that the sidecar itself answers those who may buy."""
    return {
        "stores": dict(stores),
        "serve": {"listen": listen, "workers": WORKERS},
        "keys": [{"id": "bench", "secret": "0123456789abcdef0123456789abcdef"}],
        "identity": {"buyer": {"header": "X-User-Id", "trust": "proxy"}},
        "limits": {"buyer": "2/s burst 5"},
        "nginx": {"buyer": "$http_x_user_id"},  # there is no log-in here that could say it
        "routes": [
            {
                "name": "buy",
                "path": "/buy/{sku}",
                "item": {"path": "sku"},
                "quantity": {"form": "quantity", "default": 1},
                "on_accept": "json",
            }
        ],
    }


def _patient() -> Deadline:
    return Deadline.after(10.0, CLOCK)
