"""A sidecar under gunicorn whose every route knows its buyers in a way of its own."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from buyers_words import RSA, SECRET, LegacySite, key_set
from stack import Server, eventually
from stack.ports import HOST
from stack.scripted import Scripted, answering

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, Order
from seckill_sidecar.settings import load
from seckill_sidecar.wiring import Site

GATE_SECRET = "a secret of sixteen characters, and more"
ASK = {"cookies": ["PHPSESSID"], "timeout": "500ms", "cache_nobody": 0}
JWT = {"audience": "shop", "issuer": "https://login.test", "retry": "1h"}


def settings(url: str, storefront: str, folder: Path, listen: str) -> dict[str, Any]:
    """Routes of the same shape, ``/NAME/{sku}``; whoever asks for an order is known by the storefront."""
    ask = {"path": "/whoami?json", "read": {"json": "user.id"}} | ASK
    buyers: dict[str, Any] = {
        "ask": None,
        "header": {"ask": {"path": "/whoami/header", "read": {"header": "X-User"}} | ASK},
        "page": {"ask": {"path": "/whoami/page", "read": {"page": 'data-user="([^"]+)"'}} | ASK},
        "bearer": {"jwt": {"algorithms": ["RS256"], "keys": f"file:{folder}/keys.json"} | JWT},
        "cookie": {"jwt": {"algorithms": ["ES256"], "keys": f"{storefront}/jwks", "cookie": "token"} | JWT},
        "secret": {"jwt": {"algorithms": ["HS256"], "secret": "${ISSUER_SECRET}", "header": "X-Token"} | JWT},
        "signed": {"cookie": "seckill_buyer", "trust": "signed"},
    }
    routes = [
        {"name": name, "path": f"/{name}/{{sku}}", "item": {"path": "sku"}, "on_accept": "json", "buyer": buyer}
        for name, buyer in buyers.items()
    ]
    return {
        "stores": {"redis": url, "database": f"sqlite:///{folder}/orders.db", "storefront": storefront},
        "serve": {"listen": listen, "workers": 1},
        "keys": [{"id": "new", "secret": "${GATE_SECRET}"}, {"id": "old", "secret": "the secret of last year"}],
        "identity": {"buyer": {"ask": ask}},
        "routes": routes,
        "ledger": {"prefix": f"buyers-{secrets.token_hex(4)}"},
        "breakers": {"identity": {"minimum": 3, "wait": "200ms", "window": "5s"}},
        "log": {"level": "debug"},
    }


class Sidecar(Server):
    """``seckill-sidecar serve``."""

    name = "sidecar"
    starts_within = 60.0
    stops_within = 40.0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "seckill.yaml"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", "serve", "-c", str(self.config)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "GATE_SECRET": GATE_SECRET, "ISSUER_SECRET": SECRET}

    def answers(self) -> bool:
        return send(self.address, "GET", "/").status == 200


@dataclass(frozen=True)
class Answer:
    """One answer; names of headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(address: tuple[str, int], method: str, target: str, **headers: str) -> Answer:
    """Send a request; ``_`` in a header's name is ``-``."""
    with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=sent)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@dataclass(frozen=True)
class BuyersSite:
    """The running site."""

    sidecar: Sidecar
    legacy: LegacySite
    storefront: Scripted
    gate: Site
    """The same configuration in this process."""

    def open_sale(self) -> str:
        """Put a new item on sale; its SKU."""
        sku = f"sku-{secrets.token_hex(5)}"
        self.gate.ledger.load(Item(sku, 100, per_buyer=9), self._deadline())
        return sku

    def sign_in(self, buyer: str) -> str:
        """A new session; its cookie."""
        session = secrets.token_hex(8)
        self.legacy.sessions[session] = buyer
        return f"PHPSESSID={session}"

    def buy(self, route: str, sku: str = "", **headers: str) -> Answer:
        """Ask for one unit, of a new item if none is named."""
        return send(self.sidecar.address, "POST", f"/{route}/{sku or self.open_sale()}", **headers)

    def buyer_of(self, answer: Answer) -> str:
        """Whom an accepted order belongs to, as the ledger has it."""
        assert answer.status == 201, answer
        order: Order | None = self.gate.ledger.order(answer.json["order"], self._deadline())
        assert order is not None
        return order.buyer

    def heal(self) -> None:
        """The legacy site answers as it should, and is asked again."""
        if self.legacy.held is not None:
            self.legacy.held.set()
        self.legacy.held = self.legacy.says = None
        eventually(lambda: self.buy("ask", Cookie=self.sign_in("patient")).status == 201, 20, "the site is asked again")

    def said(self) -> str:
        """All that the sidecar wrote to standard error."""
        return self.sidecar.log.read_text(errors="replace")

    def _deadline(self) -> Deadline:
        return Deadline.after(10.0, SystemClock())


@contextmanager
def opened(redis_url: str, folder: Path) -> Iterator[BuyersSite]:
    """A running site, until the block ends."""
    legacy = LegacySite()
    (folder / "keys.json").write_bytes(key_set(RSA))
    sidecar = Sidecar(folder / "sidecar")
    with answering(legacy.answer) as storefront, closing(sidecar):
        url = f"http://{HOST}:{storefront.address[1]}"
        written = settings(redis_url, url, folder, f"{HOST}:{sidecar.port}")
        sidecar.config.write_text(yaml.safe_dump(written))
        gate = Site(load(sidecar.config, sidecar.environment()))
        with closing(gate.ledger), closing(gate.orders):
            gate.orders.migrate()
            sidecar.start()
            yield BuyersSite(sidecar, legacy, storefront, gate)
