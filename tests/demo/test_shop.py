"""The old shop sells what the sidecar signed, and nothing else."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from demo.answers import read_answer
from demo.line import Line, Reply
from shop.server import BuyDesk, Shop
from shop.signature import buyer_token

SECRET = b"a secret of some length"
ORDER = "flash-phone~01ARZ3NDEKTSV4RRFFQ69G5FAV"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(("127.0.0.1", 0), tmp_path, {"k1": SECRET}) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join(10)


def ask(shop: Shop, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
    with closing(Line(("127.0.0.1", shop.server_port), timeout=10)) as line:
        return line.ask(method, path, headers, body)


def signed(buyer: str = "Ann", quantity: str = "1", at: float | None = None, **changed: str) -> dict[str, str]:
    """The headers of the sidecar; ``changed`` ones are changed after signing."""
    moment = str(int(time.time() if at is None else at))
    text = "\n".join(("v1", ORDER, "flash-phone", buyer, quantity, moment))
    values = {
        "Order": ORDER,
        "Item": "flash-phone",
        "Buyer": quote(buyer, safe=""),
        "Quantity": quantity,
        "Time": moment,
        "Key": "k1",
        "Signature": hmac.digest(SECRET, text.encode(), "sha256").hex(),
    }
    return {**FORM, **{f"X-Seckill-{name}": value for name, value in (values | changed).items() if value}}


def buy(shop: Shop, headers: dict[str, str], path: str = "/buy/flash-phone", form: bytes = b"quantity=1") -> Reply:
    return ask(shop, "POST", path, headers, form)


@pytest.mark.parametrize("buyer", ["Ann", "Zoë Müller", "买家", "a&b<c>", "two\nlines"])
def test_a_signed_purchase_is_sold_and_its_page_names_the_order(shop: Shop, buyer: str) -> None:
    answer = read_answer(buy(shop, signed(buyer)))
    assert (answer.order, answer.source) == (ORDER, "shop")
    assert [order.buyer for order in shop.orders.newest(9)] == [buyer]


def test_the_same_order_again_is_the_same_order(shop: Shop) -> None:
    assert [buy(shop, signed()).status for _ in range(2)] == [200, 200]
    assert len(shop.orders.newest(9)) == 1


@pytest.mark.parametrize("missing", ["Order", "Item", "Buyer", "Quantity", "Time", "Key", "Signature"])
def test_a_purchase_without_one_of_the_headers_is_refused(shop: Shop, missing: str) -> None:
    assert buy(shop, signed(**{missing: ""})).status == 403
    assert not shop.orders.newest(9)


@pytest.mark.parametrize(
    "changed",
    [{"Buyer": "Bob"}, {"Quantity": "2"}, {"Order": ORDER[:-1] + "W"}, {"Key": "k2"}, {"Signature": "0" * 64}],
)
def test_a_purchase_changed_after_signing_is_refused(shop: Shop, changed: dict[str, str]) -> None:
    assert buy(shop, signed(**changed)).status == 403


@pytest.mark.parametrize("age", [-120, 120])
def test_a_purchase_signed_at_another_time_is_refused(shop: Shop, age: int) -> None:
    assert buy(shop, signed(at=time.time() - age)).status == 403


def test_a_signature_for_one_item_does_not_buy_another(shop: Shop) -> None:
    assert buy(shop, signed(), path="/buy/green-teapot").status == 403


def test_a_signature_for_one_unit_does_not_buy_nine(shop: Shop) -> None:
    assert buy(shop, signed(), form=b"quantity=9").status == 403


def test_logging_in_sets_the_shops_cookie_and_the_sidecars(shop: Shop) -> None:
    reply = ask(shop, "POST", "/login", FORM, "name=Zoë".encode())
    cookies = dict(value.split(";")[0].split("=", 1) for name, value in reply.headers if name == "set-cookie")
    expires = int(cookies["seckill_buyer"].split(".")[2])
    assert cookies["seckill_buyer"] == buyer_token("Zoë", "k1", SECRET, expires)
    front = ask(shop, "GET", "/", {"Cookie": f"shop_session={cookies['shop_session']}"})
    assert "Hello, Zoë." in front.body.decode()


def test_a_name_can_not_inject_markup(shop: Shop) -> None:
    buy(shop, signed("<script>"))
    page = ask(shop, "GET", "/orders").body.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("path", ["/nothing", "/product/nothing", "/buy/flash-phone"])
def test_pages_that_are_not_there_are_404(shop: Shop, path: str) -> None:
    assert ask(shop, "GET", path).status == 404


def test_a_buyer_beyond_the_queue_is_turned_away(shop: Shop) -> None:
    shop.desk = BuyDesk(workers=1, waiting=0)
    with shop.desk.serving():
        assert buy(shop, signed()).status == 503
    assert buy(shop, signed()).status == 200


def test_the_shop_as_it_was_before_the_gate_sells_to_everybody(tmp_path: Path) -> None:
    with Shop(("127.0.0.1", 0), tmp_path, {"k1": SECRET}, unsigned=True) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        told = [read_answer(buy(server, headers)) for headers in (FORM, FORM, signed())]
        server.shutdown()
        serving.join(10)
    assert [one.order.startswith("shop-") for one in told] == [True, True, False]
    assert len({one.order for one in told}) == 3
