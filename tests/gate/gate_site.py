"""One site under test, and what people do to it: open a sale, buy, look at the books."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from gate_client import FORM, Address, Answer, ask
from gate_plugs import PLUGS, SECRET, Plug, Sidecar, Storefront

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Event, EventKind, Item, ItemView, Order, OutboxEntry
from seckill_sidecar.settings import load
from seckill_sidecar.settings.schema import Timeouts
from seckill_sidecar.wire.tokens import BUYER, ORDER
from seckill_sidecar.wiring import Site

Seen = dict[str, Any]

ROUTES: list[dict[str, Any]] = [
    {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "quantity": {"form": "quantity", "default": 1}},
    {
        "name": "json",
        "path": "/api/buy",
        "item": {"json": "cart.0.sku"},
        "quantity": {"json": "cart.0.quantity"},
        "on_accept": "json",
    },
    {"name": "plain", "path": "/plain/{sku}", "item": {"path": "sku"}, "on_accept": "json"},
    {"name": "page", "path": "/page/{sku}", "item": {"path": "sku"}, "on_accept": "page"},
    {
        "name": "redirect",
        "path": "/redirect/{sku}",
        "item": {"path": "sku"},
        "on_accept": "redirect",
        "redirect_to": "/thanks?order={order}&token={token}&of={item}",
    },
    {
        "name": "php",
        "path": "/index.php",
        "query": {"route": "checkout/confirm"},
        "item": {"form": "product_id"},
        "quantity": {"form": "quantity"},
        "on_accept": "json",
    },
    {
        "name": "by-form",
        "path": "/action",
        "form": {"do": "buy"},
        "item": {"form": "sku"},
        "quantity": {"form": "n", "default": 1},
        "on_accept": "json",
    },
    {"name": "vip", "path": "/hosted/{sku}", "host": "vip.test", "item": {"path": "sku"}, "on_accept": "json"},
    {
        "name": "by-query",
        "path": "/q",
        "methods": ["GET", "POST"],
        "item": {"query": "sku"},
        "quantity": {"query": "n"},
        "idempotency": {"query": "key"},
        "on_accept": "json",
    },
    {
        "name": "by-header",
        "path": "/h",
        "item": {"header": "X-Sku"},
        "quantity": {"header": "X-Quantity"},
        "idempotency": {"header": "X-Key"},
        "on_accept": "json",
    },
    {
        "name": "by-cookie",
        "path": "/c",
        "item": {"cookie": "sku"},
        "quantity": {"cookie": "n"},
        "on_accept": "json",
    },
    {
        "name": "signed",
        "path": "/signed/{sku}",
        "item": {"path": "sku"},
        "buyer": {"cookie": "seckill_buyer", "trust": "signed"},
        "on_accept": "json",
    },
    {
        "name": "admitted",
        "path": "/admitted/{sku}",
        "item": {"path": "sku"},
        "quantity": {"form": "quantity", "default": 1},
        "admission": {"required": True},
        "on_accept": "json",
    },
    {
        "name": "admitted-by-form",
        "path": "/admitted-by-form/{sku}",
        "item": {"path": "sku"},
        "admission": {"required": True, "token": {"form": "admission"}},
        "on_accept": "json",
    },
    {
        "name": "admitted-by-cookie",
        "path": "/admitted-by-cookie/{sku}",
        "item": {"path": "sku"},
        "admission": {"required": True, "token": {"cookie": "admission"}},
        "on_accept": "json",
    },
    {
        "name": "hidden",
        "path": "/hidden/{admission}/{sku}",
        "item": {"path": "sku"},
        "admission": {"hidden": True},
    },
    {"name": "first", "path": "/first/now-{sku}", "item": {"path": "sku"}, "hold": "1h", "on_accept": "json"},
    {"name": "second", "path": "/first/{sku}", "item": {"path": "sku"}, "on_accept": "json"},
    {
        "name": "json-twin",
        "path": "/first/{sku}.json",
        "item": {"path": "sku"},
        "on_accept": "json",
        "methods": ["PUT"],
    },
    {"name": "html-twin", "path": "/first/{sku}/buy", "item": {"path": "sku"}, "on_accept": "json", "methods": ["PUT"]},
    {
        "name": "dot-twin",
        "path": "/first/{sku}/buy.do",
        "item": {"path": "sku"},
        "on_accept": "json",
        "methods": ["PUT"],
    },
    {"name": "script", "path": "/order.php/{sku}", "item": {"path": "sku"}, "on_accept": "json"},
]

SETTINGS: dict[str, Any] = {
    "keys": [{"id": "new", "secret": "${GATE_SECRET}"}, {"id": "old", "secret": "the secret of last year"}],
    "identity": {"buyer": {"header": "X-User", "trust": "proxy"}, "trusted_proxies": ["127.0.0.1/32"]},
    "routes": ROUTES,
    "limits": {"buyer": "6/m", "address": "30/m", "body": "4KiB"},
    "timeouts": {"request": "10s", "ledger": "3s", "broker": "3s", "storefront": "3s"},  # no test of patience
    "results": {"waiters": 20, "heartbeat": "500ms"},
    "log": {"level": "debug", "format": "json", "abuse": "1000/s"},
}


def told(answer: Answer) -> str:
    """The verdict that a buyer was told; ``storefront`` if the legacy site answered."""
    if answer.body == b"the storefront's own words":
        return "storefront"
    return str(answer.json["verdict"])


@dataclass(frozen=True)
class Books:
    """What the ledger holds of one item."""

    view: ItemView | None
    orders: tuple[Order, ...]
    outbox: tuple[OutboxEntry, ...]


class Shop:
    """A running site: the gate at ``address``, and its ledger seen from outside."""

    def __init__(self, plug: Plug, storefront: Storefront | None, ledger_url: str = "") -> None:
        """``ledger_url`` is the ledger itself, if the gate reaches it by a line that may fail."""
        self.plug = plug
        self.storefront = storefront
        """The legacy site's process, if it has one of its own."""
        settings = load(plug.config, plug.environment())
        if ledger_url:
            stores = settings.stores.model_copy(update={"redis": ledger_url})
            settings = settings.model_copy(update={"stores": stores, "timeouts": Timeouts(ledger="5s")})
        self.site = Site(settings)
        self.ledger = self.site.ledger
        self._buyers = itertools.count(1)

    @property
    def address(self) -> Address:
        return self.plug.address

    def deadline(self) -> Deadline:
        return Deadline.after(5.0, SystemClock())

    # -- what the shop's people do

    def open_sale(self, total: int = 10, **item: Any) -> str:
        """Put a new item on sale; its SKU."""
        sku = f"sku-{secrets.token_hex(5)}"
        self.ledger.load(Item(sku, total, **{"per_buyer": 9, **item}), self.deadline())
        return sku

    def books(self, sku: str) -> Books:
        """The item, its orders and its outbox."""
        return Books(
            view=self.ledger.item(sku, self.deadline()),
            orders=tuple(sorted(self.ledger.orders(sku), key=lambda order: order.seq)),
            outbox=tuple(self.ledger.outbox(sku, 0, 1000, self.deadline())),
        )

    def view(self, sku: str) -> ItemView:
        """The item as it stands, balanced."""
        view = self.ledger.item(sku, self.deadline())
        assert view is not None
        assert view.balanced, view
        return view

    def orders(self, sku: str) -> list[Order]:
        """The item's orders, in their sequence."""
        return list(self.books(sku).orders)

    def seen(self, word: str) -> list[Seen]:
        """What reached the legacy site and has this word in it."""
        found: list[Seen] = ask(self.address, f"/_seen?word={word}", method="GET").json
        return found

    def buyer_token(self, buyer: str, seconds: float = 60.0, purpose: str = BUYER) -> str:
        """A token signed by the site."""
        return self.site.keyring.sign(purpose, buyer, SystemClock().wall() + seconds)

    def order_token(self, order_id: str, buyer: str) -> str:
        """The token by which an order may be asked for."""
        return self.buyer_token(f"{order_id}\n{buyer}", purpose=ORDER)

    def write(self, sku: str) -> None:
        """What a writer does: the item's orders, as they stand, are committed."""
        for order in self.orders(sku):
            self.site.orders.write([Event(EventKind.ACCEPTED, 1, order, 1000, order.accepted_at_ms)])

    # -- what buyers do

    def new_buyer(self) -> str:
        """A buyer who never was here."""
        return f"buyer-{next(self._buyers)}"

    def buy(
        self,
        sku: str,
        buyer: str | None = None,
        *fields: str,
        quantity: object = None,
        key: str | None = None,
        path: str = "/plain/{sku}",
        **request: Any,
    ) -> Answer:
        """Ask for units of an item; a quantity goes into a form."""
        lines = [f"X-User: {self.new_buyer() if buyer is None else buyer}", *fields]
        if key is not None:
            lines.append(f"Idempotency-Key: {key}")
        if quantity is not None:
            lines.append(FORM)
            request["body"] = f"quantity={quantity}".encode()
        return ask(self.address, path.format(sku=sku), *lines, **request)

    def ask_admission(self, sku: str, buyer: str, *fields: str, **request: Any) -> Answer:
        """Ask to be admitted to the sale of an item."""
        return ask(self.address, f"/seckill/admissions/{sku}", f"X-User: {buyer}", *fields, **request)

    def look_up(self, path: str, *fields: str) -> Answer:
        """Ask for an order."""
        return ask(self.address, path, *fields, method="GET")


def all_at_once(calls: Iterable[Callable[[], Answer]]) -> list[Answer]:
    """The answers of callers who come at the same moment."""
    waiting = list(calls)
    with ThreadPoolExecutor(len(waiting)) as pool:
        return [future.result() for future in [pool.submit(call) for call in waiting]]


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The settings with these changes, section by section."""
    result = deepcopy(base)
    for name, value in changes.items():
        result[name] = merged(result.get(name) or {}, value) if isinstance(value, dict) else value
    return result


def open_shop(running: ExitStack, kind: str, changes: dict[str, Any], ledger_url: str = "") -> Shop:
    """Start a site with this plug; it ends with ``running``."""
    settings = merged(SETTINGS, changes)
    storefront = None
    if kind == Sidecar.name:
        storefront = running.enter_context(Storefront())
        settings["stores"]["storefront"] = storefront.url
    plug = PLUGS[kind](settings)
    running.callback(plug.close)
    shop = Shop(plug, storefront, ledger_url)
    running.callback(shop.ledger.close)
    shop.site.orders.migrate()
    running.callback(shop.site.orders.close)
    plug.start()
    return shop


__all__ = ["SECRET", "SETTINGS", "Books", "Shop", "all_at_once", "merged", "open_shop", "told"]
