"""The shop's web server: pages, login, and a buy handler that a crowd brings down.

A thread a connection, sixteen purchases at a time of 50 ms each, a queue behind them that overflows: this
is what a flash sale does to such a site, and why only the winners may reach it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from shop import pages, signature
from shop.orders import Orders
from shop.sessions import Sessions

PURCHASE_TAKES_S = 0.05
TOKEN_LIVES_S = 86_400
MAX_BODY = 65_536


class Overloaded(Exception):
    """More buyers at once than the shop can queue."""


class BadForm(Exception):
    """The request's form can't be read; the text says why."""


class BuyDesk:
    """Where purchases are handled: ``workers`` at a time, ``waiting`` in the queue, the next one is turned away."""

    def __init__(self, workers: int = 16, waiting: int = 64) -> None:
        self._workers = threading.BoundedSemaphore(workers)
        self._places = threading.BoundedSemaphore(workers + waiting)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Wait for a worker; raises ``Overloaded`` if the queue is full."""
        if not self._places.acquire(blocking=False):
            raise Overloaded
        try:
            with self._workers:
                yield
        finally:
            self._places.release()


class Shop(ThreadingHTTPServer):
    """The shop on ``address`` with its data in ``folder``; ``secrets`` are shared with the sidecar, the first signs."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], folder: Path, secrets: Mapping[str, bytes], unsigned: bool = False
    ) -> None:
        self.orders = Orders(folder / "orders.sqlite")
        self.sessions = Sessions()
        self.secrets = dict(secrets)
        self.unsigned = unsigned
        """Whether it sells to those as well who have not come through the gate."""
        self.desk = BuyDesk()
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection of one client."""

    server: Shop
    server_version = "TheOldShop/1.0"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a page goes out in one piece
    timeout = 30

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        sku = path.removeprefix("/product/")
        if path == "/":
            self._page(pages.front(self._name()))
        elif path == "/style.css":
            self._answer(HTTPStatus.OK, pages.STYLE, "text/css; charset=utf-8")
        elif path == "/orders":
            self._page(pages.orders(self.server.orders.newest(200), self._name()))
        elif sku in pages.PRODUCTS:
            self._page(pages.product(sku, self._name()))
        else:
            self._trouble(HTTPStatus.NOT_FOUND, "There is no such page.")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        try:
            form = self._form()
            if path == "/login":
                self._login(form)
            elif path.removeprefix("/buy/") in pages.PRODUCTS:
                self._buy(path.removeprefix("/buy/"), form)
            else:
                self._trouble(HTTPStatus.NOT_FOUND, "There is no such page.")
        except BadForm as error:
            self.close_connection = True
            self._trouble(HTTPStatus.BAD_REQUEST, str(error))

    def _buy(self, sku: str, form: Mapping[str, str]) -> None:
        try:
            purchase = self._purchase(sku, form.get("quantity", "1"))
            with self.server.desk.serving():
                time.sleep(PURCHASE_TAKES_S)
                self.server.orders.record(purchase)
        except signature.Unsigned as error:
            self._trouble(HTTPStatus.FORBIDDEN, f"This item is sold through the queue only: {error}.")
        except Overloaded:
            self._trouble(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.")
        else:
            self._page(pages.thanks(purchase, self._name()))

    def _purchase(self, sku: str, quantity: str) -> signature.SignedPurchase:
        try:
            return self._signed_purchase(sku, quantity)
        except signature.Unsigned:
            if not self.server.unsigned or not quantity.isdecimal():
                raise
        number = f"shop-{uuid.uuid4().hex}"
        return signature.SignedPurchase(number, sku, self._name() or "somebody", int(quantity))

    def _signed_purchase(self, sku: str, quantity: str) -> signature.SignedPurchase:
        purchase = signature.read_purchase(self.headers.get, self.server.secrets, time.time())
        if (purchase.item, str(purchase.quantity)) != (sku, quantity):
            raise signature.Unsigned("signed for another purchase")
        return purchase

    def _login(self, form: Mapping[str, str]) -> None:
        name = form.get("name", "").strip()
        if not name or len(name) > 64 or not name.isprintable():
            raise BadForm("A name has 1 to 64 letters.")
        key, secret = next(iter(self.server.secrets.items()))
        token = signature.buyer_token(name, key, secret, int(time.time()) + TOKEN_LIVES_S)
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Set-Cookie", f"shop_session={self.server.sessions.start(name)}; Path=/; HttpOnly")
        self.send_header("Set-Cookie", f"seckill_buyer={token}; Path=/; HttpOnly; SameSite=Lax")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _form(self) -> dict[str, str]:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            raise BadForm("This shop needs a Content-Length.") from None
        if not 0 <= length <= MAX_BODY:
            raise BadForm("That is too long for this shop.")
        fields = parse_qs(self.rfile.read(length).decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in fields.items()}

    def _name(self) -> str | None:
        try:
            session = SimpleCookie(self.headers.get("Cookie", "")).get("shop_session")
        except CookieError:
            return None
        return self.server.sessions.name(session.value) if session else None

    def _page(self, html: str) -> None:
        self._answer(HTTPStatus.OK, html, "text/html; charset=utf-8")

    def _trouble(self, status: HTTPStatus, text: str) -> None:
        self._answer(status, pages.trouble(status.phrase, text), "text/html; charset=utf-8")

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No line a request: a sale would fill the disk."""
