"""``item``: what an operator does to items."""

from __future__ import annotations

from typing import Any

import pytest
from cli_words import Done, Home
from stack import Redis

from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Event, EventKind, Purchase, State, Verdict
from seckill_sidecar.settings import load
from seckill_sidecar.wiring import Site

new_id = order_ids(SystemClock())


def deadline() -> Deadline:
    return Deadline.after(5, SystemClock())


def site_of(home: Home) -> Site:
    return Site(load(home.config, {"CLI_SECRET": "a secret of sixteen characters"}))


def buy(home: Home, sku: str, buyer: str = "alice", settle: State | None = None) -> str:
    """An order; settled, if wanted, and written to the database then."""
    site = site_of(home)
    order_id = new_id(sku)
    decision = site.ledger.reserve(Purchase(order_id, sku, buyer, 1), deadline())
    assert decision.verdict is Verdict.ACCEPTED
    if settle is not None:
        site.ledger.settle(order_id, settle, "", deadline())
    site.ledger.close()
    return order_id


def view(home: Home, sku: str = "kettle") -> dict[str, Any]:
    done = home.run("item", "show", sku, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


def put_on_sale(home: Home) -> None:
    """Put the configuration's kettle on sale."""
    done = home.run("item", "load")
    assert done.code == 0, done.err


def expect_usage(done: Done, *about: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in about), done.err
    assert "Traceback" not in done.err


def test_the_items_of_the_configuration_are_loaded(sale: Home) -> None:
    done = sale.run("item", "load")
    assert done.code == 0
    head, row = (line.split()[:4] for line in done.out.splitlines())
    assert (head, row) == (["item", "status", "total", "free"], ["kettle", "open", "5", "5"])
    assert view(sale)["per_buyer"] == 2


def test_what_the_command_line_says_wins(sale: Home) -> None:
    window = ["--opens-at", "2030-01-01T00:00:00Z", "--closes-at", "2030-01-02T00:00:00Z"]
    words = ["--total", "9", "--hold", "5m", *window]
    assert sale.run("item", "load", "kettle", *words).code == 0
    shown = view(sale)
    assert (shown["total"], shown["per_buyer"], shown["hold_ms"]) == (9, 2, 300_000)
    assert (shown["opens_at_ms"], shown["closes_at_ms"]) == (1893456000000, 1893542400000)
    table = sale.run("item", "show", "kettle").out
    assert "2030-01-01T00:00:00+00:00" in table


def test_an_item_that_the_configuration_does_not_know_is_loaded_by_command(sale: Home) -> None:
    assert sale.run("item", "load", "teapot", "--total", "3", "--json").json[0]["sku"] == "teapot"
    assert [item["sku"] for item in sale.run("item", "list", "--json").json] == ["teapot"]


def test_an_item_is_opened_closed_paused_and_added_to(sale: Home) -> None:
    put_on_sale(sale)
    for action, status in (("close", "closed"), ("pause", "paused"), ("open", "open")):
        assert sale.run("item", action, "kettle", "--json").json["status"] == status
    assert sale.run("item", "add", "kettle", "7", "--json").json["total"] == 12
    assert (view(sale)["total"], view(sale)["free"]) == (12, 12)


def test_a_list_of_nothing_is_empty(sale: Home) -> None:
    assert sale.run("item", "list", "--json").json == []
    assert len(sale.run("item", "list").out.splitlines()) == 1


def test_the_configuration_may_be_named_before_the_action_or_after(sale: Home) -> None:
    put_on_sale(sale)
    named = ["-c", str(sale.config)]
    for words in (["item", *named, "show", "kettle"], ["item", "show", "kettle", *named]):
        assert sale.run(*words, config=False).code == 0


@pytest.mark.parametrize("action", ["show", "open", "close", "pause", "add"])
def test_an_item_that_there_is_not(sale: Home, action: str) -> None:
    done = sale.run("item", action, "teapot", *(["3"] if action == "add" else []))
    expect_usage(done, "teapot", "seckill-sidecar item load teapot")


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["load", "teapot"], "--total"),
        (["load", "bad sku", "--total", "1"], "'bad sku' is no SKU"),
        (["load", "{x}", "--total", "1"], "no SKU"),
        (["load", "x" * 65, "--total", "1"], "no SKU"),
        (["load", "teapot", "--total", "-1"], "--total"),
        (["load", "teapot", "--total", "100000001"], "--total"),
        (["load", "teapot", "--total", "1e3"], "--total"),
        (["load", "teapot", "--total", "1", "--per-buyer", "0"], "--per-buyer"),
        (["load", "teapot", "--total", "1", "--per-buyer", "10000"], "--per-buyer"),
        (["load", "teapot", "--total", "1", "--opens-at", "tomorrow"], "--opens-at 'tomorrow' is no time"),
        (["load", "teapot", "--total", "1", "--opens-at", "2030-01-01T00:00:00"], "zone"),
        (["load", "teapot", "--total", "1", "--hold", "5"], "--hold '5'"),
        (["load", "teapot", "--total", "1", "--hold", "0ms"], "--hold"),
        (["load", "teapot", "--total", "1", "--hold", ""], "--hold"),
        (
            ["load", "kettle", "--opens-at", "2030-01-02T00:00:00Z", "--closes-at", "2030-01-01T00:00:00Z"],
            "--closes-at",
        ),
        (["add", "kettle", "0"], "units"),
        (["add", "kettle", "-5"], "units"),
        (["add", "kettle", "many"], "units"),
        (["add", "kettle", "100000001"], "units"),
        (["show", "*"], "no SKU"),
    ],
)
def test_a_call_that_makes_no_sense_changes_nothing(sale: Home, words: list[str], about: str) -> None:
    put_on_sale(sale)
    before = sale.run("item", "list", "--json").json
    expect_usage(sale.run("item", *words), about)
    assert sale.run("item", "list", "--json").json == before


def test_a_configuration_without_items_has_none_to_load(sale: Home, redis_url: str) -> None:
    sale.configure(redis=redis_url, items=[])
    expect_usage(sale.run("item", "load"), "item load SKU --total N")


# -- loading again -------------------------------------------------------------------------------------


def test_an_item_without_orders_is_loaded_anew(sale: Home) -> None:
    put_on_sale(sale)
    assert sale.run("item", "load", "kettle", "--total", "8").code == 0
    assert view(sale)["total"] == 8


def test_an_item_with_orders_is_not_loaded_over(sale: Home) -> None:
    put_on_sale(sale)
    buy(sale, "kettle", settle=State.PAID)
    before = view(sale)
    expect_usage(sale.run("item", "load"), f"--replaces {before['epoch']}")
    assert view(sale) == before


def test_an_item_with_holds_is_not_even_replaced(sale: Home) -> None:
    put_on_sale(sale)
    buy(sale, "kettle")
    before = view(sale)
    done = sale.run("item", "load", "kettle", "--replaces", str(before["epoch"]))
    expect_usage(done, "still held", "item close kettle")
    assert view(sale) == before


def test_an_item_starts_anew_over_the_orders_that_are_named(sale: Home) -> None:
    put_on_sale(sale)
    buy(sale, "kettle", settle=State.PAID)
    epoch = view(sale)["epoch"]
    expect_usage(sale.run("item", "load", "kettle", "--replaces", str(epoch + 1)), f"--replaces {epoch}")
    assert sale.run("item", "load", "kettle", "--replaces", str(epoch)).code == 0
    after = view(sale)
    assert (after["epoch"], after["free"], after["paid"]) == (epoch + 1, 5, 0)


def test_an_item_that_only_the_database_remembers_is_not_sold_again(sale: Home, redis_server: Redis) -> None:
    put_on_sale(sale)
    order_id = buy(sale, "kettle")
    site = site_of(sale)
    order = site.ledger.order(order_id, deadline())
    assert order is not None
    site.orders.write([Event(EventKind.ACCEPTED, 1, order, 5, order.accepted_at_ms)])
    site.ledger.close()
    site.orders.close()
    redis_server.flush()
    expect_usage(sale.run("item", "load"), "kettle", f"--replaces {order.epoch}")
    assert sale.run("item", "list", "--json").json == []
    assert sale.run("item", "load", "kettle", "--replaces", str(order.epoch)).code == 0
    assert view(sale)["epoch"] == order.epoch + 1


def test_an_emptied_ledger_is_not_filled_again_though_no_order_was_written_yet(sale: Home, redis_server: Redis) -> None:
    put_on_sale(sale)
    buy(sale, "kettle")
    epoch = view(sale)["epoch"]
    redis_server.flush()
    expect_usage(sale.run("item", "load"), "kettle", f"--replaces {epoch}")
    assert sale.run("item", "list", "--json").json == []


def test_one_damaged_item_does_not_hide_the_others(sale: Home, redis_server: Redis) -> None:
    put_on_sale(sale)
    assert sale.run("item", "load", "teapot", "--total", "3").code == 0
    redis_server.ask("SET seckill:{teapot}:item x")
    done = sale.run("item", "list")
    assert done.code == 1
    assert "kettle" in done.out
    assert "teapot  DAMAGED: WRONGTYPE" in done.out


# -- stores that are not there -------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list"], ["load"], ["show", "kettle"], ["close", "kettle"], ["add", "kettle", "1"]])
def test_a_ledger_that_is_not_there(home: Home, words: list[str]) -> None:
    home.configure().run("migrate")
    done = home.run("item", *words)
    assert (done.code, done.out) == (69, "")
    assert done.err.startswith("seckill-sidecar: ledger: ")
    assert len(done.err.splitlines()) == 1


def test_a_database_that_is_not_there_or_has_no_tables(sale: Home, redis_url: str) -> None:
    for database, code, about in (
        ("mysql://root@127.0.0.1:1/shop", 69, "database: "),
        (f"sqlite:///{sale.folder}/empty.db", 78, "migrations"),
    ):
        done = sale.configure(redis=redis_url, stores={"database": database}).run("item", "load")
        assert (done.code, done.out, about in done.err) == (code, "", True), done.err
    assert sale.run("item", "list", "--json").json == []


def test_a_damaged_item_is_said_to_be_damaged(sale: Home, redis_server: Redis) -> None:
    put_on_sale(sale)
    redis_server.ask("HSET seckill:{kettle}:item free x")
    done = sale.run("item", "show", "kettle")
    assert (done.code, done.out) == (69, "")
    assert "kettle" in done.err


def test_what_would_have_been_sold_is_shown_and_forgotten(sale: Home) -> None:
    assert sale.run("item", "load").code == 0
    site = site_of(sale)
    for buyer in ("alice", "bob"):
        site.shadow.reserve(Purchase(new_id("kettle"), "kettle", buyer, 1), deadline())
    (shown,) = sale.run("item", "shadow", "kettle", "--json").json
    assert (shown["total"], shown["free"], shown["held"]) == (5, 3, 2)
    assert view(sale)["free"] == 5
    assert sale.run("item", "shadow", "kettle", "--anew", "--json").json == []
    assert sale.run("item", "shadow", "kettle").code == 0
    site.shadow.close()
