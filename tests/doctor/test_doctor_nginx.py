"""Each way in which an nginx can let purchases past the gate, on a real one before a real sidecar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from demo.line import Line
from doctor_words import Found, Practice, Program
from stack import Nginx, Redis
from stack.nginx import JAVASCRIPT
from stack.ports import HOST, free_port
from stack.scripted import Scripted, answering, reply

from seckill_sidecar.cli import main
from seckill_sidecar.ops.nginx import part
from seckill_sidecar.ops.nginx.body import SCRIPT, script

Start = Callable[..., Nginx]
ROUTES: list[dict[str, Any]] = [
    {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}},
    {"name": "vip", "path": "/vip/{sku}", "item": {"path": "sku"}, "host": "vip.test"},
    {"name": "cart", "path": "/cart", "item": {"form": "sku"}, "query": {"do": "buy"}, "on_accept": "json"},
    {"name": "api", "path": "/api", "item": {"json": "lines.1.sku"}, "on_accept": "json"},
]
OVERWRITE = "".join(
    f"proxy_set_header {name} '';" for name in ("X-User-Id", "X-Forwarded-For", "Forwarded")
) + (
    "proxy_set_header X-Real-IP $remote_addr; proxy_set_header Host $http_host;"
)  # fmt: skip


class House:
    """A site that runs: sidecar, shop, and an nginx as each test configures it."""

    def __init__(self, practice: Practice, redis: str, shop: Scripted) -> None:
        self.practice = practice
        self.shop = shop
        self.at_shop = "http://{}:{}".format(*shop.address)
        self.port = free_port()
        self.sections: dict[str, Any] = {
            "stores": {"redis": redis, "storefront": self.at_shop},
            "serve": {"listen": f"{HOST}:{self.port}", "workers": 1},
            "shield": {"enabled": True, "folder": str(practice.folder / "shield")},
            "identity": {
                "buyer": {"header": "X-User-Id", "trust": "proxy"},
                "trusted_proxies": ["127.0.0.1/32"],
            },
            "routes": ROUTES,
        }

    @property
    def at_sidecar(self) -> str:
        return f"http://{HOST}:{self.port}"

    def generated(self, **sections: Any) -> dict[str, str]:
        """What ``seckill-sidecar nginx`` writes."""
        settings = self.practice.settings(**self.sections | sections)
        return {
            "http": part(settings, "http"),
            "server": part(settings, "server") + f"\nlocation / {{ proxy_pass {self.at_shop}; }}",
        }

    def examine(self, nginx: Nginx, /, **sections: Any) -> Found:
        return self.practice.examine("--through", f"{nginx.url}/", **self.sections | sections)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, redis_server: Redis) -> Iterator[House]:
    redis_server.heal()
    with answering(lambda request: reply(200 if request.method == "GET" else 403, b"shop")) as shop:
        house = House(Practice(tmp_path_factory.mktemp("house")), redis_server.url, shop)
        house.practice.migrate(**house.sections)
        with Program("serve", house.practice.config, house.port):
            yield house


def test_the_generated_configuration_is_well(house: House, nginx: Start) -> None:
    found = house.examine(nginx(**house.generated()))
    found.expect_nothing_to_mend()
    found.expect("ok", "nginx", "spellings-buy", "10 other spellings reach the gate")
    found.expect("ok", "nginx", "route-vip")
    found.expect("ok", "nginx", "shield-buy", "nginx answers for an item that is marked")
    found.expect("skipped", "nginx", "shield-cart", "can't see")
    found.expect("ok", "host", "open-files", "for a worker")
    assert not list((house.practice.folder / "shield" / "sold_out").iterdir())


def test_items_in_bodies_are_asked_for_where_nginx_reads_them(house: House, tmp_path: Path) -> None:
    njs = {"body": "njs"}
    generated = house.generated(nginx=njs)
    (tmp_path / SCRIPT).write_text(script())
    http = f'js_path "{tmp_path}"; {generated["http"]}'
    with Nginx(generated["server"], http, modules=[JAVASCRIPT]) as nginx:
        found = house.examine(nginx, nginx=njs)
    for name in ("shield-cart", "shield-api"):
        found.expect("ok", "nginx", name, "nginx answers for an item that is marked")


def test_purchases_that_nobody_routes_are_found(house: House, nginx: Start) -> None:
    found = house.examine(nginx(server=f"location / {{ proxy_pass {house.at_shop}; }}"))
    found.expect("fail", "nginx", "route-buy", "is answered 403, and not by this site's gate")


@pytest.mark.parametrize(
    ("location", "past"),
    [
        ("= /buy/seckill-probe", "/buy/seckill-probe/"),
        ("/buy/", "/BUY/SECKILL-PROBE"),
        ("~ ^/buy/[a-z-]+$", "/buy/seckill-probe;x"),
        ("~* ^/buy/", "/index.php/buy/seckill-probe"),
        ("~* ^/(index.php/)?buy/", "/%2562uy/seckill-probe"),
    ],
)
def test_a_location_that_misses_spellings_is_found(house: House, nginx: Start, location: str, past: str) -> None:
    server = f"""
        location {location} {{ {OVERWRITE} proxy_pass {house.at_sidecar}; }}
        location / {{ proxy_pass {house.at_shop}; }}"""
    found = house.examine(nginx(server=server))
    found.expect("ok", "nginx", "route-buy")
    found.expect("fail", "nginx", "spellings-buy", f" {past}")
    found.expect("fail", "nginx", "own-addresses", "/seckill/")
    found.expect("fail", "nginx", "route-cart")


def test_an_nginx_that_believes_its_clients_is_found(house: House, nginx: Start) -> None:
    server = f"location / {{ proxy_set_header Host $http_host; proxy_pass {house.at_sidecar}; }}"
    found = house.examine(nginx(server=server))
    found.expect("ok", "nginx", "spellings-buy")
    found.expect("fail", "nginx", "identity", "x-real-ip, x-user-id")


def test_an_nginx_that_hides_the_host_is_found(house: House, nginx: Start) -> None:
    server = f"location / {{ {OVERWRITE.replace('$http_host', '$proxy_host')} proxy_pass {house.at_sidecar}; }}"
    found = house.examine(nginx(server=server))
    found.expect("ok", "nginx", "route-buy")
    found.expect("fail", "nginx", "route-vip", "takes for no purchase")


def test_an_nginx_that_rewrites_paths_is_found(house: House, nginx: Start) -> None:
    server = f"location / {{ {OVERWRITE} proxy_pass {house.at_sidecar}/; }}"
    house.examine(nginx(server=server)).expect("warn", "nginx", "spellings-buy", "paths arrive changed")


def test_an_nginx_that_the_gate_does_not_trust_is_found(house: House, nginx: Start) -> None:
    server = f"location / {{ proxy_bind 127.0.0.2; {OVERWRITE} proxy_pass {house.at_sidecar}; }}"
    house.examine(nginx(server=server)).expect("fail", "nginx", "trusted-proxy", "identity.trusted_proxies")


def test_a_shield_that_nginx_does_not_ask_is_found(house: House, nginx: Start, tmp_path: Path) -> None:
    elsewhere = house.generated(shield={"enabled": True, "folder": f"{tmp_path}/elsewhere"})
    house.examine(nginx(**elsewhere)).expect("fail", "nginx", "shield-buy", "all losers reach the sidecar")


def test_a_sidecar_that_is_away_is_found(house: House, nginx: Start) -> None:
    away = house.generated(serve={"listen": f"{HOST}:{free_port()}"})
    house.examine(nginx(**away)).expect("fail", "nginx", "route-buy", "the sidecar is away")


def test_a_sidecar_with_other_keys_is_found(house: House, nginx: Start) -> None:
    found = house.examine(nginx(**house.generated()), keys=[{"id": "k", "secret": "another secret of some length"}])
    found.expect("fail", "nginx", "route-buy", "other keys than this file")
    house.practice.settings(**house.sections)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"http://{HOST}:{free_port()}/", "does not answer"),
        (f"http://{HOST}:99999/", "is no address"),
        ("http://[half/", "is no address"),
        ("http:///", "it names no host"),
    ],
)
def test_an_nginx_that_is_not_there_is_found(house: House, address: str, words: str) -> None:
    found = house.practice.examine("--through", address, **house.sections)
    found.expect("fail", "nginx", "route-buy", words)


def test_an_address_of_another_kind_is_refused(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--through", "shop.example", "-c", str(house.practice.config)]) == 2
    assert "--through wants an address of nginx" in capsys.readouterr().err


def test_nobody_else_is_told_what_arrived(house: House) -> None:
    with closing(Line((HOST, house.port), timeout=20)) as line:
        told = line.ask("POST", "/buy/kettle", {"X-Seckill-Probe": "v1.k.9999999999.cHJvYmU.AAAA"}, b"")
    assert told.status == 401


def test_nothing_reaches_the_shop_when_all_is_well(house: House, nginx: Start) -> None:
    before = len(house.shop.requests)
    house.examine(nginx(**house.generated()))
    direct = [(request.method, request.path) for request in house.shop.requests[before:]]
    assert direct == [("GET", "/"), ("POST", "/buy/seckill-probe"), ("POST", "/vip/seckill-probe")]
