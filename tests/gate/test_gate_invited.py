"""An item for invited buyers only: strangers are refused without Redis, exactly, and nobody gets in by damage."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate_plugs import Sidecar, Threads
from gate_site import Shop, open_shop, told
from stack import Redis, eventually

from seckill_sidecar.adapters.invited_list import BloomList, read_list
from seckill_sidecar.adapters.ledger import Keys, connect_invitations
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.model import Item
from seckill_sidecar.ops.eligible import Eligible

ITEMS = ("vip", "tiny", "hurt", "lost", "anew", "keyed")


@dataclass
class Party:
    """A site whose items are for invited buyers."""

    shop: Shop
    folder: Path

    def path(self, sku: str) -> Path:
        return self.folder / f"{sku}.invited"

    def invite(self, sku: str, *buyers: str, room: int | None = None) -> str:
        """Put it on sale for these buyers, and wait until the gate goes by the new list; its generation's name."""
        source = self.folder / "ids.txt"
        source.write_text("\n".join(buyers), encoding="utf-8")
        command = self.shop.site.invited_lists()
        if room is not None:
            command = Eligible(
                command.items,
                lambda sku, _: BloomList.new(sku, os.urandom(8).hex(), os.urandom(16), room),
                command.read,
                connect_invitations(self.shop.site.settings, SystemClock()),
                command.clock,
            )
        command.run(argparse.Namespace(action="load", sku=sku, source=str(source)))
        command.invitations.close()
        name = read_list(str(self.path(sku)), sku).generation.name
        if self.shop.ledger.item(sku, self.shop.deadline()) is None:
            self.shop.ledger.load(Item(sku, 100), self.shop.deadline())
        self.shop.buy(sku, "whoever")  # it looks for another list when it is asked
        eventually(lambda: self.follows(sku, name), 20, "the gate goes by the new list")
        return name

    def follows(self, sku: str, name: str) -> bool:
        """Whether the gate has said that it goes by this list."""
        self.shop.buy(sku, "whoever")
        return f"list {name}" in self.shop.plug.said()

    def complaints(self) -> list[str]:
        lines = [json.loads(line) for line in self.shop.plug.said().splitlines() if line.startswith('{"time"')]
        return [line["message"] for line in lines if line["level"] == "error"]


def settings(redis: Redis, folder: Path, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "stores": {"redis": redis.url, "broker": "none", "database": f"sqlite:///{folder}/orders.db"},
        "ledger": {"prefix": folder.name},
        "items": list(items),
        "limits": {"buyer": "off", "address": "off"},
    }


@pytest.fixture(scope="module", params=[Threads.name, Sidecar.name])
def _party(
    request: pytest.FixtureRequest, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Party]:
    redis_server.heal()
    folder = tmp_path_factory.mktemp("party")
    items = [{"sku": sku, "total": 100, "eligible": f"{folder}/{sku}.invited"} for sku in ITEMS]
    with ExitStack() as running:
        yield Party(open_shop(running, request.param, settings(redis_server, folder, items)), folder)


@pytest.fixture
def party(_party: Party, redis_server: Redis) -> Party:
    redis_server.heal()
    return _party


def commands(shop: Shop) -> set[str]:
    """Which commands Redis ran since the last time."""
    line = shop.ledger._line
    text = line.ask("INFO", "commandstats", deadline=shop.deadline()).decode()
    line.ask("CONFIG", "RESETSTAT", deadline=shop.deadline())
    return {name.lower() for name in re.findall(r"cmdstat_([^:|]+):", text)}


def test_without_a_list_nobody_can_buy_and_the_log_says_what_to_do(party: Party) -> None:
    party.shop.ledger.load(Item("vip", 100), party.shop.deadline())
    answer = party.shop.buy("vip", "ann")
    assert (answer.status, told(answer)) == (503, "unavailable")
    assert any("seckill-sidecar eligible load vip --from FILE" in said for said in party.complaints())
    assert party.shop.view("vip").held == 0


def test_the_invited_buy_and_strangers_are_refused_without_asking_redis(party: Party) -> None:
    party.invite("vip", "ann", "bob", "Zoë")
    assert told(party.shop.buy("vip", "ann")) == "accepted"
    filtered = read_list(str(party.path("vip")), "vip")
    # One in two thousand is taken for a guest, by a salt that is another one each time.
    strangers = [name for name in (f"stranger-{no}" for no in range(50)) if filtered.seat(name) is None]
    commands(party.shop)
    answers = [party.shop.buy("vip", name, key=f"k-{name}") for name in strangers]
    assert not {"evalsha", "sismember", "set"} & commands(party.shop)
    assert {(answer.status, told(answer)) for answer in answers} == {(403, "not_eligible")}
    assert told(party.shop.buy("vip", "bob", path="/buy/{sku}")) == "storefront"
    assert {order.buyer for order in party.shop.orders("vip")} == {"ann", "bob"}


def test_who_asks_again_with_the_key_gets_the_same_order(party: Party) -> None:
    party.invite("keyed", "ann")
    first, again = (party.shop.buy("keyed", "ann", key="k") for _ in range(2))
    assert (told(first), told(again)) == ("accepted", "replayed")
    assert first.json["order"] == again.json["order"]


def test_whom_the_filter_takes_for_another_is_refused_by_the_ledger(party: Party) -> None:
    """A filter with room for one that holds fifty lets nearly everybody pass."""
    invited = [f"guest-{no}" for no in range(50)]
    party.invite("tiny", *invited, room=1)
    strangers = [f"stranger-{no}" for no in range(30)]
    filtered = read_list(str(party.path("tiny")), "tiny")
    assert sum(filtered.seat(stranger) is not None for stranger in strangers) >= 25
    commands(party.shop)
    assert {told(party.shop.buy("tiny", stranger)) for stranger in strangers} == {"not_eligible"}
    run = commands(party.shop)
    assert "sismember" in run
    assert "evalsha" not in run
    assert {told(party.shop.buy("tiny", guest)) for guest in invited[:5]} == {"accepted"}
    assert party.shop.view("tiny").held == 5


def test_a_damaged_file_lets_nobody_in_until_it_is_mended(party: Party) -> None:
    party.invite("hurt", "ann", "bob")
    path = party.path("hurt")
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    eventually(lambda: told(party.shop.buy("hurt", "stranger")) == "unavailable", 20, "the damage is noticed")
    assert told(party.shop.buy("hurt", "ann")) == "unavailable"
    assert sum("hurt.invited is damaged" in said for said in party.complaints()) == 1
    assert party.shop.view("hurt").held == 0
    path.write_bytes(sound)
    eventually(lambda: told(party.shop.buy("hurt", "bob")) == "accepted", 20, "the mended file is noticed")


def test_a_ledger_that_has_lost_the_list_lets_nobody_in(party: Party) -> None:
    party.invite("lost", "ann")
    register = Keys(party.shop.site.settings.ledger.prefix).of("lost", "invited")
    party.shop.ledger._line.ask("DEL", register, deadline=party.shop.deadline())
    assert told(party.shop.buy("lost", "ann")) == "unavailable"
    assert told(party.shop.buy("lost", "stranger")) == "not_eligible"
    party.invite("lost", "ann")
    assert told(party.shop.buy("lost", "ann")) == "accepted"


def test_a_new_list_takes_the_place_of_the_old_one_while_it_is_sold_from(party: Party) -> None:
    party.invite("anew", "ann", "bob")
    assert told(party.shop.buy("anew", "ann")) == "accepted"
    party.invite("anew", "bob", "carl")
    assert [told(party.shop.buy("anew", buyer)) for buyer in ("bob", "carl", "dora", "ann")] == [
        "accepted",
        "accepted",
        "not_eligible",
        "not_eligible",
    ]


def test_a_reload_makes_an_item_one_for_invited_buyers(redis_server: Redis, tmp_path: Path) -> None:
    redis_server.heal()
    open_to_all = {"sku": "vip", "total": 100}
    with ExitStack() as running:
        shop = open_shop(running, Sidecar.name, settings(redis_server, tmp_path, [open_to_all]))
        shop.ledger.load(Item("vip", 100), shop.deadline())
        assert told(shop.buy("vip", "stranger")) == "accepted"
        config = yaml.safe_load(shop.plug.config.read_text())
        config["items"] = [{**open_to_all, "eligible": f"{tmp_path}/vip.invited"}]
        shop.plug.config.write_text(yaml.safe_dump(config))
        os.kill(shop.plug.pid, signal.SIGHUP)
        eventually(lambda: told(shop.buy("vip", "other")) == "unavailable", 30, "the settings are in force")
