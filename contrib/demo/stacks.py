"""Starts a whole site and stops it again: with the bundled stores, or with the real servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from stack import MariaDB, Nginx, RabbitMQ, Redis, Server

from demo.accounts import Accounts, mysql_database, sqlite_file
from demo.plan import SKU, Plan
from demo.programs import OldShop, Program, Relay, Sidecar, Writer, run_command
from demo.site import Home, Site

_SHOP_ITSELF = """
location / {{
    proxy_pass {shop};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
}}
"""


@contextmanager
def open_site(plan: Plan, folder: Path) -> Iterator[Site]:
    """Start what the plan's stack consists of, with its data in ``folder``; stop all of it at the end."""
    with ExitStack() as started:
        opened = _open_real if plan.stack == "real" else _open_embedded
        yield opened(plan, Home(folder), started)


def _open_embedded(plan: Plan, home: Home, started: ExitStack) -> Site:
    """Buyers go to the sidecar itself; the relay delivers the outbox, as there is no broker."""
    valkey, database = home.folder / "valkey" / "valkey.sock", home.folder / "seckill.db"
    stores = {
        "redis": "embedded",
        "embedded_dir": str(valkey.parent),
        "broker": "none",
        "database": f"sqlite:///{database}",
    }
    # The relay comes first and goes last: the bundled Valkey that it starts ends with it.
    relay, shop, sidecar = Relay(home, shows=valkey), OldShop(home), Sidecar(home)
    _run_programs(plan, stores, started, (relay, shop, sidecar))
    accounts = Accounts(f"unix://{valkey}", sqlite_file(database), sqlite_file(shop.folder / "orders.sqlite"))
    return Site(sidecar.address, sidecar.address, shop.address, home, accounts, (relay, shop, sidecar))


def _open_real(plan: Plan, home: Home, started: ExitStack) -> Site:
    """Buyers go to nginx; two writers consume RabbitMQ and write MariaDB."""
    broker = started.enter_context(RabbitMQ())
    mariadb = started.enter_context(MariaDB())
    redis = started.enter_context(Redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction"))
    database = mariadb.create_database("shop")
    stores = {"redis": redis.url, "broker": broker.url, "database": database}
    shop, sidecar = OldShop(home), Sidecar(home)
    workers = (Relay(home), Writer(home, 1), Writer(home, 2))
    _run_programs(plan, stores, started, (*workers, shop, sidecar))
    nginx = started.enter_context(_nginx(home, shop))
    accounts = Accounts(redis.url, mysql_database(database), sqlite_file(shop.folder / "orders.sqlite"))
    servers = (broker, mariadb, redis, *workers, shop, sidecar, nginx)
    piles = {"broker": broker, "database": mariadb, "ledger": redis}
    return Site(nginx.address, sidecar.address, shop.address, home, accounts, servers, piles)


def _run_programs(plan: Plan, stores: Mapping[str, str], started: ExitStack, programs: Sequence[Program]) -> None:
    """Set the site up and start its programs in this order; the shop and the sidecar are the last two."""
    *workers, shop, sidecar = programs
    home = sidecar.home
    home.config.write_text(_config(plan, stores, shop, sidecar))
    run_command(home, "migrate")
    for worker in workers:
        started.enter_context(worker)
    run_command(home, "item", "load")
    started.enter_context(shop)
    started.enter_context(sidecar)


def _config(plan: Plan, stores: Mapping[str, str], shop: Program, sidecar: Program) -> str:
    """The site's YAML, as its owner would write it."""
    settings: dict[str, Any] = {
        "stores": {**stores, "storefront": shop.url},
        "serve": {"listen": sidecar.url.removeprefix("http://"), "workers": 2},
        "shield": {"enabled": plan.stack == "real", "folder": str(sidecar.home.folder / "shield")},
        "keys": [{"id": shop.home.secret.key, "secret": "${SECKILL_SECRET}"}],
        "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
        "routes": [
            {
                "name": "buy",
                "path": "/buy/{sku}",
                "item": {"path": "sku"},
                "quantity": {"form": "quantity", "default": 1},
                "on_accept": "storefront",
            }
        ],
        "items": [
            {"sku": SKU, "total": plan.stock, "per_buyer": 1},
            {"sku": "green-teapot", "total": 1000, "per_buyer": 9},
        ],
    }
    return yaml.safe_dump(settings, sort_keys=False)


def _nginx(home: Home, shop: Server) -> Nginx:
    """The shop's nginx, with the configuration that the site's own YAML asks for."""
    run_command(home, "nginx", "--output", str(home.folder))
    locations = f'include "{home.folder}/seckill.conf";' + _SHOP_ITSELF.format(shop=shop.url)
    return Nginx(server=locations, http=f'include "{home.folder}/seckill-upstream.conf";')
