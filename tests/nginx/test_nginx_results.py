"""Who waits for a result goes past what bounds purchases, and nothing is held back on its way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nginx_words import SIDECAR, site
from stack import eventually
from stack.scripted import Request, reply

ORDER = "/seckill/orders/kettle~01JD8Z5V0N3Q6W9X2Y4T7R1KGM"


WAYS = ("/events?token=x", "/socket", "?token=x&wait=20s", "?wait=&token=x&wait=20s", "?token=x&w%61it=20s")


@pytest.mark.parametrize("path", [f"{ORDER}{way}" for way in WAYS])
def test_waiters_take_no_place_of_a_purchase(tmp_path: Path, path: str) -> None:
    over = threading.Event()

    def answers(request: Request) -> bytes:
        if request.path != path:
            over.wait(20)
        return reply(200, SIDECAR)

    with site(tmp_path, sidecar=answers, nginx={"at_once": 1}) as front, ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(front.buy)
        try:
            eventually(lambda: len(front.sidecar.requests) == 1, what="one is under way")
            assert front.ask("GET", f"{ORDER}?token=x").status == 503
            assert front.ask("GET", path).body == SIDECAR
        finally:
            over.set()
        assert under_way.result().body == SIDECAR


def test_only_a_websocket_is_let_through_as_an_upgrade(tmp_path: Path) -> None:
    with site(tmp_path) as front:
        for wanted in ("WebSocket", "h2c"):
            front.ask(
                "GET", f"{ORDER}/socket", {"Upgrade": wanted, "X-User-Id": "mallory", "X-Seckill-Order": "forged"}
            )
        sockets, other = front.sidecar.requests
        assert (sockets.headers["upgrade"], sockets.headers["connection"].lower()) == ("websocket", "upgrade")
        assert "upgrade" not in other.headers
        assert not {"x-user-id", "x-seckill-order"} & sockets.headers.keys()
