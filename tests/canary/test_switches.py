"""Routes change while they are in use: by command, for all workers of all hosts, and by the YAML."""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from canary_site import WORKERS, CanarySite, NewSite, is_the_shops, soon
from demo.line import Reply
from stack import Redis, eventually

from seckill_sidecar.cli import main
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import UsageError
from seckill_sidecar.model.modes import Override
from seckill_sidecar.ops.routes import RouteSwitches
from seckill_sidecar.settings.schema import Route, RouteAdmission


@contextmanager
def buyers(site: CanarySite, at_once: int = 4) -> Iterator[list[Reply]]:
    """Buyers who come as long as this lasts; what they were told so far."""
    told: list[Reply] = []
    over, numbers = threading.Event(), count()

    def go_on() -> None:
        while not over.is_set():
            told.append(site.buy(f"buyer-{next(numbers)}"))

    with ThreadPoolExecutor(at_once) as pool:
        crowd = [pool.submit(go_on) for _ in range(at_once)]
        try:
            yield told
        finally:
            over.set()
    for one in crowd:
        one.result()


def more(told: list[Reply], replies: int = 12) -> None:
    """Wait until so many more were answered."""
    before = len(told)
    eventually(lambda: len(told) >= before + replies, 60, "the sale goes on")


def side_of(reply: Reply) -> str:
    """Who sold it: the gate, by a signed purchase, or the shop by itself."""
    assert reply.status == 200, reply
    return "shop" if is_the_shops(reply) else "gate"


def test_switching_under_load_fails_no_request_and_all_workers_follow(new_site: NewSite) -> None:
    site = new_site().start()
    site.load(total=100_000)
    with buyers(site) as told:
        for words, side in (
            (("--mode", "shadow"), "shop"),
            (("--mode", "enforce"), "gate"),
            (("--mode", "off"), "shop"),
            (("--reset",), "gate"),
        ):
            more(told)
            site.switch(*words)
            more(told, 4)  # who was under way
            settled = len(told)
            more(told)
            assert {side_of(reply) for reply in told[settled:]} == {side}, words
    assert {side_of(reply) for reply in told} == {"shop", "gate"}
    assert site.said("Traceback") == 0


def test_off_passes_everything_unread_and_counts_it(new_site: NewSite) -> None:
    site = new_site().start(mode="off")
    site.load(total=5)
    assert all(is_the_shops(site.buy(buyer)) for buyer in ("ann", "ann", None))
    assert is_the_shops(site.buy("bob", body=b"quantity=1&note=" + b"x" * 100_000)) is False  # the shop's own bound
    assert site.buy("ann", path="/BUY/flash-phone").status == 404
    assert site.decisions() == []
    assert site.counted("seckill_passed_on_total") == {("buy",): 4}
    site.expect_untouched(5)


def test_what_was_said_holds_after_a_restart_and_is_named_in_status(new_site: NewSite) -> None:
    site = new_site().start()
    site.load(total=5)
    site.switch("--mode", "shadow")
    site.sidecar.restart()
    assert is_the_shops(site.buy("ann"))
    (told,) = site.status()["routes"]
    assert (told["mode"], told["override"]["configured"]["mode"]) == ("shadow", "enforce")
    assert "@" in told["override"]["by"]
    site.reload(percent=50)
    assert is_the_shops(site.buy("bob"))
    site.switch("--reset")
    assert site.status()["routes"] == [{"route": "buy", "mode": "enforce", "percent": 50}]


def test_a_reload_takes_the_modes_of_the_yaml(new_site: NewSite) -> None:
    site = new_site().start()
    site.load(total=10)
    assert side_of(site.buy("ann")) == "gate"
    site.reload(mode="shadow")
    assert side_of(site.buy("bob")) == "shop"
    site.reload(mode="off")
    assert side_of(site.buy("cid")) == "shop"
    site.reload(mode="enforce")
    assert side_of(site.buy("dan")) == "gate"
    assert [line.get("mode") for line in site.decisions()] == [None, "shadow", None]


def test_when_the_ledger_is_down_what_was_said_last_stays(new_site: NewSite, redis_server: Redis) -> None:
    site = new_site(timeouts={"ledger": "300ms", "connect": "300ms"}).start()
    site.load(total=5)
    site.switch("--mode", "off")
    redis_server.kill()
    eventually(lambda: site.said("routes stay as they are") == WORKERS, 30, "each worker has noticed")
    assert all(is_the_shops(site.buy(f"buyer-{n}")) for n in range(4))


def test_without_the_ledger_a_process_begins_as_configured(new_site: NewSite, redis_server: Redis) -> None:
    site = new_site(timeouts={"ledger": "300ms", "connect": "300ms"})
    redis_server.kill()
    site.start(mode="off")
    assert is_the_shops(site.buy("ann"))


# -- the command --------------------------------------------------------------------------------------


@pytest.fixture
def route(new_site: NewSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """``seckill-sidecar route …``: its exit code and what it printed."""
    site = new_site()
    monkeypatch.setenv("SECKILL_SECRET", site.home.secret.value)
    monkeypatch.setenv("SUDO_USER", "olga")

    def run(*words: str) -> tuple[int, str]:
        code = main(["route", "-c", str(site.home.config), *words])
        out, err = capsys.readouterr()
        return code, out + err

    run.site = site  # type: ignore[attr-defined]
    return run


def test_a_route_is_shown_as_configured_and_as_an_operator_has_said(route: Any) -> None:
    assert route("buy") == (0, "route buy: enforce\n")
    _, said = route("buy", "--mode", "shadow", "--percent", "10")
    assert said.startswith(f"route buy: shadow for 10 %, by olga@{os.uname().nodename} at 20")
    assert said.endswith("; as configured: enforce\n")
    assert route("list") == (0, said)
    assert route("buy", "--mode", "enforce")[1].startswith("route buy: enforce for 10 %, by")
    assert json.loads(route("list", "--json")[1])[0]["percent"] == 10
    assert route("buy", "--reset") == (0, "route buy: enforce\n")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("sell",), "there is no route 'sell'; there are buy"),
        (("sell", "--mode", "off"), "there is no route 'sell'"),
        (("buy", "--percent", "101"), "--percent has to be a whole number from 0 to 100"),
        (("buy", "--mode", "off", "--reset"), "--reset leaves the route to the YAML"),
        (("list", "--mode", "off"), "name one route"),
    ],
)
def test_what_can_not_be_said_is_refused_with_a_remedy(route: Any, words: tuple[str, ...], what: str) -> None:
    code, said = route(*words)
    assert code == 2
    assert what in said


def test_a_route_whose_address_is_hidden_can_only_be_enforced() -> None:
    hidden = Route(
        name="buy", path="/buy/{admission}/a", item="a", on_accept="json", admission=RouteAdmission(hidden=True)
    )
    words = argparse.Namespace(name="buy", mode="off", percent=None, reset=False, json=False)
    with pytest.raises(UsageError, match="can only be enforced"):
        RouteSwitches(Nobody(), [hidden], ManualClock(), "olga").run(words)


class Nobody:
    """Where nothing was said of any route, and nothing may be."""

    def read(self, *_: object) -> dict[str, Override]:
        return {}

    def put(self, *_: object) -> None:
        raise AssertionError("it was put")

    reset = put


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "[" * 1000,
        '{"mode": "maybe", "percent": 1, "by": "x", "at": 1}',
        '{"mode": "off", "percent": 101}',
        '{"mode": "off", "percent": 1, "by": "x", "at": 1e999}',
        '{"mode": "off", "percent": 1, "by": "x", "at": 99999999999999999}',
        '{"mode": "off", "percent": 1, "by": "\\u001b[2J", "at": 1}',
    ],
)
def test_what_can_not_be_read_is_named_with_its_remedy(route: Any, record: str) -> None:
    site: CanarySite = route.site
    switches = site.site.route_switches("olga")._switches
    switches._line.ask("HSET", switches._keys.routes, "buy", record, deadline=soon())  # type: ignore[attr-defined]
    code, said = route("list")
    assert code == 69
    assert "route buy --reset" in said
    found = site.status()
    assert (found["ready"], "route buy --reset" in found["troubles"][0]) == (True, True)
    assert route("buy", "--reset") == (0, "route buy: enforce\n")
