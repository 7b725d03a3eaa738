"""The demo's shop behind the gate, both in threads of this process: on Redis, with SQLite and no broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from shop.server import Shop
from werkzeug.serving import WSGIRequestHandler, make_server

from seckill_sidecar.adapters.storefront import ReverseProxy
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item
from seckill_sidecar.settings import loads
from seckill_sidecar.wiring import Site

SECRET = "a secret of sixteen characters, and more"
HOST = "127.0.0.1"


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """No line a request."""


@contextmanager
def open_shop(redis: str, folder: Path) -> Iterator[str]:
    """Serve until the block ends; the address. There is one flash phone, and plenty of teapots."""
    with ExitStack() as opened:
        shop = opened.enter_context(Shop((HOST, 0), folder, {"1": SECRET.encode()}))
        _serve(shop, opened)
        site = _site(redis, folder, shop.server_port)
        opened.callback(site.orders.close)
        opened.callback(site.ledger.close)
        storefront = site.storefront()
        assert isinstance(storefront, ReverseProxy)
        opened.callback(storefront.close)
        gate = site.middleware(storefront)
        server = make_server(HOST, 0, gate, threaded=True, request_handler=_Silent)
        server.daemon_threads = True
        _serve(server, opened)
        yield f"http://{HOST}:{server.server_port}/"


def _site(redis: str, folder: Path, shop: int) -> Site:
    stores = {"redis": redis, "broker": "none", "database": f"sqlite:///{folder}/seckill.db"}
    buy = {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "quantity": {"form": "quantity", "default": 1}}
    careful = buy | {"name": "careful", "path": "/careful/{sku}", "challenge": "altcha", "on_accept": "page"}
    settings = {
        "stores": stores | {"storefront": f"http://{HOST}:{shop}"},
        "ledger": {"prefix": "browser"},
        "keys": [{"id": "1", "secret": "${KEY}"}],
        "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
        "routes": [buy, careful],
        "challenges": {"altcha": {"rounds": 100, "tries": 50}},
        "timeouts": {"request": "10s", "ledger": "3s"},  # no test of patience
    }
    site = Site(loads(yaml.safe_dump(settings), "site.yaml", {"KEY": SECRET}))
    site.orders.migrate()
    for item in (Item("flash-phone", 1, per_buyer=1), Item("green-teapot", 1000, per_buyer=9)):
        site.ledger.load(item, Deadline.after(5.0, SystemClock()))
    return site


def _serve(server: object, opened: ExitStack) -> None:
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))  # type: ignore[attr-defined]
    serving.start()
    opened.callback(serving.join, 10)
    opened.callback(server.shutdown)  # type: ignore[attr-defined]
