"""The shipped nginx include, as it is: purchases reach the sidecar however they are spelled, the rest the shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from demo.line import Line, Reply
from demo.stacks import NGINX, SHIPPED_UPSTREAM
from demo_server import Scripted, answering, reply
from stack import Nginx, free_port

SIDECAR, SHOP = b"sidecar", b"shop"


class Front:
    """nginx with the shipped files before a sidecar and a shop that say who they are."""

    def __init__(self, nginx: Nginx, sidecar: Scripted) -> None:
        self.nginx, self.sidecar = nginx, sidecar

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        with closing(Line(self.nginx.address, timeout=10)) as line:
            return line.ask(method, path, headers, body)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder: Path = tmp_path_factory.mktemp("nginx")
    with answering(lambda _: reply(200, SIDECAR)) as sidecar, answering(lambda _: reply(200, SHOP)) as shop:
        upstream = folder / "upstream.conf"
        shipped = (NGINX / "seckill-upstream.conf").read_text()
        upstream.write_text(shipped.replace(SHIPPED_UPSTREAM, "{}:{}".format(*sidecar.address)))
        to_shop = "location / {{ proxy_pass http://{}:{}; }}".format(*shop.address)
        with Nginx(server=f'include "{NGINX / "seckill.conf"}"; {to_shop}', http=f'include "{upstream}";') as nginx:
            yield Front(nginx, sidecar)


@pytest.mark.parametrize(
    "path",
    [
        "/buy",
        "/buy/",
        "/buy/phone",
        "/BUY/phone",
        "/Buy",
        "/buy;x",
        "/buy%3bx",
        "/buy%2f",
        "/buy%20",
        "/buy//",
        "/buy.php",
        "/index.php/buy",
        "/buy%23",
        "/buy%3fa",
        "//buy",
        "/./buy",
        "/x/../buy",
        "/%2e/buy",
        "/b%75y/phone",
        "/buy?x=1",
        "/seckill/orders/1",
    ],
)
def test_every_spelling_of_a_purchase_reaches_the_sidecar_as_it_was_sent(front: Front, path: str) -> None:
    assert front.ask("POST", path).body == SIDECAR
    assert front.sidecar.requests[-1].path == path


@pytest.mark.parametrize(
    "path", ["/", "/buyers-guide", "/buyer", "/buy_now", "/product/buy", "/seckill", "/?path=/buy"]
)
def test_everything_else_stays_with_the_shop(front: Front, path: str) -> None:
    assert front.ask("GET", path).body == SHOP


def test_what_a_client_says_of_itself_is_overwritten(front: Front) -> None:
    names = ["Order", "Item", "Buyer", "Quantity", "Time", "Key", "Signature"]
    forged = {f"X-Seckill-{name}": "forged" for name in names}
    forged |= {"X-Real-IP": "9.9.9.9", "X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9"}
    front.ask("POST", "/buy/phone", forged)
    seen = front.sidecar.requests[-1].headers
    assert not [name for name, value in seen.items() if "forged" in value or "9.9.9.9" in value]
    assert (seen["x-real-ip"], seen["x-forwarded-for"]) == ("127.0.0.1", "127.0.0.1")


def test_host_and_idempotency_key_arrive_as_sent(front: Front) -> None:
    front.ask("POST", "/buy/phone", {"Idempotency-Key": "k", "Cookie": "a=b"})
    seen = front.sidecar.requests[-1].headers
    assert (seen["host"], seen["idempotency-key"], seen["cookie"]) == ("{}:{}".format(*front.nginx.address), "k", "a=b")


def test_a_body_beyond_the_bound_never_reaches_the_sidecar(front: Front) -> None:
    before = len(front.sidecar.requests)
    assert front.ask("POST", "/buy/phone", body=b"x" * 70_000).status == 413
    assert len(front.sidecar.requests) == before


def test_without_a_sidecar_the_buyer_is_told_that_nothing_is_known(tmp_path: Path) -> None:
    upstream = tmp_path / "upstream.conf"
    shipped = (NGINX / "seckill-upstream.conf").read_text()
    upstream.write_text(shipped.replace(SHIPPED_UPSTREAM, f"127.0.0.1:{free_port()}"))
    with (
        Nginx(server=f'include "{NGINX / "seckill.conf"}";', http=f'include "{upstream}";') as nginx,
        closing(Line(nginx.address, timeout=10)) as line,
    ):
        told = line.ask("POST", "/buy/phone", {}, b"")
    headers = {name.lower(): value for name, value in told.headers}
    assert (told.status, headers["retry-after"], headers["content-type"]) == (503, "2", "application/problem+json")
    assert json.loads(told.body)["verdict"] == "unavailable"


def test_connections_to_the_sidecar_are_kept(front: Front) -> None:
    front.ask("POST", "/buy/phone")
    assert front.sidecar.requests[-1].headers.get("connection", "") == ""
