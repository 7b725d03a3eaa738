"""The script before the real sidecar: nginx, gunicorn's worker, and a relay that writes; what becomes of an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from bench.shield import Site, running
from browser_words import HTML, Buyer
from demo.programs import Relay
from stack import eventually
from stack.scripted import Request, reply

_PAGE = b"""<!doctype html><html lang="en"><title>Kettle</title>
<script src="/seckill/seckill.js" defer></script>
<h1>Kettle</h1><form method="post" action="/buy/kettle" data-seckill><button>Buy</button></form></html>"""


def _shop(_: Request) -> bytes:
    return reply(200, _PAGE, HTML, "Set-Cookie: buyer=ann; Path=/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    identity = {"buyer": {"cookie": "buyer", "trust": "client"}}
    with running(tmp_path_factory.mktemp("real"), _shop, serve={"workers": 1}, identity=identity) as site:
        site.open_sale("kettle", units=1)
        yield site


def test_an_order_is_accepted_then_written_then_paid(site: Site, buyer: Buyer) -> None:
    asked: list[str] = []
    shop = "http://{}:{}".format(*site.nginx.address)
    buyer.page.on("request", lambda request: asked.append(f"{request.method} {urlsplit(request.url).path}"))
    buyer.page.clock.install()
    buyer.come(f"{shop}/buy/kettle")  # no purchase, since it is a GET: the shop's
    buyer.hears("accepted", "order")
    with ExitStack() as opened:
        buyer.click()
        buyer.sees("It is yours!")
        opened.enter_context(Relay(site.sidecar.home))  # without a broker, it writes
        eventually(lambda: buyer.heard()[-1][1].get("written"), 20)
    (_, accepted), *news = buyer.heard()
    assert [told["order"] for _, told in news] == [accepted["order"]] * len(news)
    assert news[-1][1]["state"] == "held"
    before = len(asked)
    buyer.page.wait_for_timeout(6_000)  # longer than the longest time after which a browser opens events again
    assert asked[before:] == []

    assert buyer.page.request.post(f"{shop}/paid/{accepted['order']}").status == 200
    buyer.page.clock.run_for(31_000)
    buyer.sees("is paid.")
    assert asked.count("POST /buy/kettle") == 1
