"""A site whose orders are paid and cancelled: its sidecar, its ledger, and what people do to them."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, ClassVar

import yaml
from stack import Server, eventually
from stack.ports import HOST, free_port

from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Item, ItemView, Order, OutboxEntry, Purchase, State
from seckill_sidecar.settings import load
from seckill_sidecar.wiring import Site

KEY = "a secret of sixteen characters, and more"
TOKEN = "the operator's own token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Door = tuple[str, int] | Path

SETTINGS: dict[str, Any] = {
    "keys": [{"id": "new", "secret": "${SETTLE_KEY}"}],
    "identity": {"buyer": {"header": "X-User", "trust": "proxy"}},
    "routes": [
        {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "on_accept": "json"},
        {"name": "slow", "path": "/slow/{sku}", "item": {"path": "sku"}, "on_accept": "json", "hold": "2h"},
    ],
    "settles": [
        {
            "name": "notify",
            "path": "/payment/notify",
            "form": {"status": "SUCCESS"},
            "order": {"form": "order"},
            "to": "paid",
        },
        {"name": "api", "path": "/api/paid", "order": {"json": "data.order"}, "to": "paid"},
        {"name": "back", "path": "/payment/back", "order": {"form": "order"}, "to": "paid", "on": ["2xx", "3xx"]},
        {"name": "moved", "path": "/payment/moved", "order": {"form": "order"}, "to": "paid", "on": ["3xx"]},
        {
            "name": "cancel",
            "methods": ["POST", "GET"],
            "path": "/my/{order}/cancel",
            "order": {"path": "order"},
            "to": "cancelled",
        },
    ],
    "limits": {"body": "4KiB"},
    "timeouts": {"ledger": "2s"},
    "log": {"level": "info", "format": "json"},
}


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def value(self, name: str) -> str:
        """The only value of a field."""
        (only,) = [value for sent, value in self.headers if sent.lower() == name.lower()]
        return only

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Sidecar(Server):
    """``seckill-sidecar serve``, with a door for the operator."""

    name = "sidecar"
    starts_within: ClassVar[float] = 40.0
    stops_within: ClassVar[float] = 40.0

    def __init__(self, settings: Mapping[str, Any], sockets: bool = False) -> None:
        """With ``sockets`` both doors are UNIX sockets."""
        super().__init__()
        self.config = self.folder / "seckill.yaml"
        self.public: Door = self.folder / "public.sock" if sockets else self.address
        self.operator: Door = self.folder / "operator.sock" if sockets else (HOST, free_port())
        doors = {
            "serve": {"listen": _written(self.public), "workers": 1},
            "operator": {"listen": _written(self.operator), "token": "${SETTLE_TOKEN}"},
        }
        self.config.write_text(yaml.safe_dump({**doors, **settings}))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SETTLE_KEY": KEY, "SETTLE_TOKEN": TOKEN}

    def command(self) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", "serve", "-c", str(self.config)]

    def answers(self) -> bool:
        return ask(self.public, "/ready", method="GET").status == 200

    def said(self) -> list[dict[str, Any]]:
        """The lines of its own log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"time"')]


def _written(door: Door) -> str:
    return f"unix:{door}" if isinstance(door, Path) else f"{door[0]}:{door[1]}"


class Shop:
    """The running site, and its ledger seen from outside."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.site = Site(load(sidecar.config, sidecar.environment()))
        self.ledger = self.site.ledger
        self.clock = SystemClock()
        self._new_order_id = order_ids(self.clock)
        self._buyers = itertools.count(1)

    def deadline(self) -> Deadline:
        return Deadline.after(5.0, self.clock)

    # -- selling

    def open_sale(self, total: int = 5, **item: Any) -> str:
        """Put a new item on sale; its SKU."""
        sku = f"sku-{secrets.token_hex(5)}"
        self.ledger.load(Item(sku, total, **{"per_buyer": total, **item}), self.deadline())
        return sku

    def order(self, sku: str | None = None, buyer: str = "", hold_ms: int | None = None) -> Order:
        """A new order, of a new item unless one is named."""
        sku = sku or self.open_sale()
        order_id = self._new_order_id(sku)
        buyer = buyer or f"buyer-{next(self._buyers)}"
        decision = self.ledger.reserve(Purchase(order_id, sku, buyer, 1, hold_ms=hold_ms), self.deadline())
        assert decision.order is not None, decision
        return decision.order

    def expired_order(self) -> Order:
        """One whose hold is over, and was given back."""
        order = self.order(hold_ms=1)
        eventually(self.expire, what="its hold is over")
        return order

    def buy(self, sku: str, buyer: str = "ann", path: str = "/buy/{sku}") -> Answer:
        return ask(self.sidecar.public, path.format(sku=sku), headers={"X-User": buyer})

    def expire(self) -> int:
        """One round of the relay's expirer; how many holds were over."""
        return self.site.expirer().step()

    # -- settling

    def notify(self, order_id: str, answer: int = 200, path: str = "/payment/notify") -> Answer:
        """The payment provider tells the storefront, through the sidecar."""
        body = f"order={order_id}&status=SUCCESS".encode()
        return ask(self.sidecar.public, path, body, {**FORM, "X-Answer": str(answer)})

    def tell(self, order_id: str, state: str, body: bytes = b"", **headers: str) -> Answer:
        """Ask the operator's API, with its token, to settle an order."""
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
        return ask(self.sidecar.operator, f"/orders/{order_id}/{state}", body, given)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``seckill-sidecar order …``."""
        command = [sys.executable, "-m", "seckill_sidecar", "order", *words, "-c", str(self.sidecar.config)]
        environment = self.sidecar.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    # -- looking

    def state(self, order: Order) -> State:
        """Where the order stands in the ledger; the item's books are balanced."""
        self.view(order.item)
        found = self.ledger.order(order.id, self.deadline())
        assert found is not None
        return found.state

    def view(self, sku: str) -> ItemView:
        """The item as it stands, balanced."""
        view = self.ledger.item(sku, self.deadline())
        assert view is not None
        assert view.balanced, view
        return view

    def outbox(self, sku: str) -> list[OutboxEntry]:
        return self.ledger.outbox(sku, 0, 1000, self.deadline())

    def said_of(self, order_id: str) -> list[dict[str, Any]]:
        """What the sidecar's log says of an order."""
        return [line for line in self.sidecar.said() if order_id in json.dumps(line)]


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def ask(
    door: Door, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
) -> Answer:
    """One request on a connection of its own."""
    connection = _UnixConnection(door) if isinstance(door, Path) else HTTPConnection(*door, timeout=20)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response: HTTPResponse = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()
