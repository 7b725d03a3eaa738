"""The shield of a whole site: nginx, two gunicorn workers, Redis, and whatever befalls them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bench.shield import Site, measure, running, soon
from demo.line import Line, Reply
from stack import eventually

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.model import Item

PATIENCE = 30.0


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("shield")) as site:
        yield site


@pytest.fixture
def site(_site: Site) -> Site:
    _site.sidecar.heal()
    return _site


_numbers = iter(range(1_000_000))


def sold_out_item(site: Site) -> str:
    """An item of which there never was a unit, and which nginx answers for."""
    sku = f"gone-{next(_numbers)}"
    site.open_sale(sku, units=0)
    eventually(lambda: site.is_marked(sku), PATIENCE, "nginx answers for it")
    return sku


def buy(site: Site, sku: str, path: str = "/buy/", **headers: str) -> Reply:
    with closing(Line(site.nginx.address, timeout=PATIENCE)) as line:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return line.ask("POST", f"{path}{sku}", {"X-Buyer": "ann", **named})


def verdict(told: Reply) -> str:
    return str(json.loads(told.body)["verdict"])


def test_sold_out_is_never_said_for_long_once_a_unit_is_back(site: Site) -> None:
    """How long exactly is measured by ``contrib/bench/shield.py``; on a busy machine everything takes its time."""
    found = measure(site, cycles=32, at_once=4)
    assert len(found.back_after) == 32
    assert max(found.falsely, default=0.0) < 5.0


def test_the_keepers_of_a_site_agree_with_nginx_on_every_reason(site: Site) -> None:
    now = int(SystemClock().wall() * 1000)
    site.ledger.load(Item("early", 1, opens_at_ms=now + 7_200_000), soon())
    site.ledger.load(Item("late", 1, closes_at_ms=now - 1), soon())
    eventually(lambda: site.is_marked("early", "not_open") and site.is_marked("late", "closed"), PATIENCE)
    told = buy(site, "early")
    assert (verdict(told), told.header("retry-after")) == ("not_open", "3600")
    assert verdict(buy(site, "late")) == "closed"


def test_an_item_that_opens_can_be_bought_from_its_first_moment(site: Site) -> None:
    opens = SystemClock().wall() + 2.0
    site.ledger.load(Item("soon", 5, opens_at_ms=int(opens * 1000)), soon())
    eventually(lambda: site.is_marked("soon", "not_open"), PATIENCE)
    assert verdict(buy(site, "soon")) == "not_open"
    eventually(lambda: verdict(buy(site, "soon")) == "accepted", PATIENCE)
    assert not site.is_marked("soon", "not_open")
    assert SystemClock().wall() >= opens


def test_units_that_are_added_can_be_bought(site: Site) -> None:
    sku = sold_out_item(site)
    assert verdict(buy(site, sku)) == "sold_out"
    site.ledger.add(sku, 1, soon())
    eventually(lambda: verdict(buy(site, sku)) == "accepted", PATIENCE)


# -- who holds an order ----------------------------------------------------------------------------


def test_who_holds_an_order_hears_of_it_though_all_is_sold_out(site: Site) -> None:
    site.open_sale("last")
    accepted = buy(site, "last", Idempotency_Key="k")
    cookie = accepted.header("set-cookie")
    assert cookie.startswith("seckill_order=v1.")
    assert cookie.endswith("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax")
    eventually(lambda: site.is_marked("last"), PATIENCE)
    assert verdict(buy(site, "last")) == "sold_out"
    again = buy(site, "last", Idempotency_Key="k")
    assert (verdict(again), json.loads(again.body)["order"]) == ("replayed", json.loads(accepted.body)["order"])
    assert again.header("set-cookie").startswith("seckill_order=")
    assert verdict(buy(site, "last", Cookie=cookie.partition(";")[0])) == "limit_reached"


def test_the_shops_own_answer_to_a_winner_carries_the_cookie(site: Site) -> None:
    site.open_sale("shops")
    told = buy(site, "shops", path="/shop/")
    assert (told.body, told.header("set-cookie")[:14]) == (b"the shop", "seckill_order=")


# -- processes that die ----------------------------------------------------------------------------


def keeper_of(site: Site) -> int:
    """The worker that keeps the markers: the one that has the lock's file locked."""
    lock = (site.shield / "keeper").stat()
    name = f":{lock.st_ino} "
    for line in Path("/proc/locks").read_text().splitlines():
        if name in line and "FLOCK" in line:
            return int(line.split()[4])
    return 0


def test_when_the_keeper_is_killed_another_worker_keeps_the_markers_true(site: Site) -> None:
    sku = sold_out_item(site)
    killed = eventually(lambda: keeper_of(site), PATIENCE)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: keeper_of(site) not in (0, killed), PATIENCE, "another is the keeper")
    site.ledger.add(sku, 1, soon())
    eventually(lambda: verdict(buy(site, sku)) == "accepted", PATIENCE)
    eventually(lambda: verdict(buy(site, sku)) == "sold_out" and site.is_marked(sku), PATIENCE)


def test_a_keeper_that_stands_still_is_not_believed(site: Site) -> None:
    sku = sold_out_item(site)
    stopped = eventually(lambda: keeper_of(site), PATIENCE)
    os.kill(stopped, signal.SIGSTOP)
    try:
        eventually(lambda: not site.is_marked(sku), PATIENCE, "another worker has removed the markers")
    finally:
        os.kill(stopped, signal.SIGCONT)
    eventually(lambda: site.is_marked(sku), PATIENCE)


def test_a_site_that_is_stopped_leaves_no_marker(site: Site) -> None:
    sku = sold_out_item(site)
    site.sidecar.stop()
    assert not site.is_marked(sku)


def test_markers_that_a_killed_site_left_go_with_its_start(site: Site) -> None:
    sku = sold_out_item(site)
    site.sidecar.kill()
    assert site.is_marked(sku)
    site.ledger.add(sku, 1, soon())
    site.sidecar.start()
    eventually(lambda: not site.is_marked(sku), PATIENCE)
    eventually(lambda: verdict(buy(site, sku)) == "accepted", PATIENCE)


def test_without_its_ledger_the_shield_says_nothing(site: Site) -> None:
    sku = sold_out_item(site)
    site.redis.pause()
    try:
        eventually(lambda: not site.is_marked(sku), PATIENCE)
    finally:
        site.redis.resume()
    eventually(lambda: site.is_marked(sku), PATIENCE)


def test_a_reload_of_the_workers_goes_unnoticed_by_the_shield(site: Site) -> None:
    sku = sold_out_item(site)
    first = eventually(lambda: keeper_of(site), PATIENCE)
    os.kill(site.sidecar.pid, signal.SIGHUP)
    eventually(lambda: keeper_of(site) not in (0, first), PATIENCE)
    eventually(lambda: site.is_marked(sku), PATIENCE)
    assert verdict(buy(site, sku)) == "sold_out"
