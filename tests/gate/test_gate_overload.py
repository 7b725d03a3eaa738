"""Too many buyers: who can't be served is told so before anything is done, and the others are served in turn."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate_client import FORM, written
from gate_plugs import Sidecar
from gate_site import Shop, told
from stack import eventually
from stack.ports import HOST

from seckill_sidecar.settings import Settings, loads
from seckill_sidecar.wiring import Site


@pytest.fixture
def served(shop: Shop) -> Shop:
    """A site behind our own gunicorn worker: other servers don't tell who hung up, and share time as they like."""
    if not isinstance(shop.plug, Sidecar):
        pytest.skip("another server")
    return shop


def test_who_has_hung_up_before_being_served_buys_nothing(served: Shop) -> None:
    sku = served.open_sale(total=10)
    served.plug.pause()
    with socket.create_connection(served.address) as connection:
        connection.sendall(written(f"/plain/{sku}", "X-Buyer: hasty"))
    served.plug.resume()
    assert told(served.buy(sku, "patient")) == "accepted"
    assert [order.buyer for order in served.orders(sku)] == ["patient"]


def test_a_connection_full_of_requests_keeps_nobody_from_being_served(served: Shop) -> None:
    sku, before = served.open_sale(), len(routes_taken(served))
    # Nobody knows who is buying, so these are refused without waiting for anything.
    many, one = (written(path, FORM).replace(b"close", b"keep-alive") for path in (f"/plain/{sku}", f"/page/{sku}"))
    served.plug.pause()
    with (
        socket.create_connection(served.address) as full,
        socket.create_connection(served.address) as single,
    ):
        full.sendall(200 * many)
        single.sendall(one)
        served.plug.resume()
        eventually(lambda: len(routes_taken(served)) == before + 201, what="all were answered")
    assert routes_taken(served)[before:].index("page") < 150


def routes_taken(shop: Shop) -> list[str]:
    """The routes of all purchases that were decided, in order, by the log."""
    lines = [json.loads(line) for line in shop.plug.said().splitlines() if line.startswith('{"time"')]
    return [line["route"] for line in lines if line["message"] == "decided"]


class Hole:
    """A Redis that takes connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(20.0)
        self.url = f"redis://{HOST}:{self._listener.getsockname()[1]}/0"

    def await_caller(self) -> socket.socket:
        return self._listener.accept()[0]

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def hole() -> Iterator[Hole]:
    silent = Hole()
    yield silent
    silent.close()


def test_with_no_room_a_purchase_is_refused_before_its_body_is_read(hole: Hole, tmp_path: Path) -> None:
    gate = Site(settings(hole, tmp_path)).middleware(lambda *_: [])
    answers: list[str] = []
    first = threading.Thread(target=lambda: answers.append(status_of(gate, environ(_Body(b"n=1&more=1")))))
    first.start()
    with hole.await_caller():
        assert status_of(gate, environ(_Unreadable())) == "503 Service Unavailable"
        assert first.is_alive()
    first.join(20.0)
    assert answers == ["503 Service Unavailable"]


def settings(hole: Hole, folder: Path) -> Settings:
    buy = {
        "name": "buy",
        "path": "/buy/{sku}",
        "item": {"path": "sku"},
        "quantity": {"form": "n"},
        "on_accept": "json",
    }
    document = {
        "stores": {"redis": hole.url, "broker": "none", "database": f"sqlite:///{folder}/orders.db"},
        "identity": {"buyer": {"header": "X-Buyer", "trust": "client"}},
        "routes": [buy],
        "limits": {"in_flight": 1},
        "items": [{"sku": "kettle", "total": 1}],  # known, so that nothing but the purchase itself is asked
        "timeouts": {"request": "30s", "ledger": "20s"},
    }
    return loads(yaml.safe_dump(document), "seckill.yaml", {})


def environ(body: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/buy/kettle",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": "10",
        "HTTP_X_BUYER": "alice",
        "REMOTE_ADDR": HOST,
        "wsgi.input": body,
    }


def status_of(application: Any, request: dict[str, Any]) -> str:
    seen: list[str] = []
    list(application(request, lambda status, *_: seen.append(status)))
    return seen[0]


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        content, self._content = self._content[:size], self._content[size:]
        return content


class _Unreadable:
    def read(self, size: int) -> bytes:
        raise AssertionError("the body was read")
