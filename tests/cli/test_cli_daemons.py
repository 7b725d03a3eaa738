"""Daemons: patient while a store is away, at work when it comes, gone cleanly when asked."""

from __future__ import annotations

import json
import signal

import pytest
from cli_words import Daemon, Home, Road, ask, listening, new_id, sell_one, site_of
from stack import MariaDB, RabbitMQ, Redis, eventually, free_port
from stack.ports import HOST

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, Purchase
from seckill_sidecar.wire.tokens import BUYER
from seckill_sidecar.wiring import Site


def test_a_relay_waits_for_its_ledger_and_then_delivers(home: Home, late_redis: Redis) -> None:
    home.configure(redis=late_redis.url, relay={"after": "0s", "every": "100ms"})
    home.run("migrate")
    with Daemon(home, "relay") as relay:
        relay.says("ledger: can't connect")
        eventually(lambda: relay.said().count("can't connect") >= 3, 20, "it tries again")
        late_redis.start()
        site = site_of(home)
        order = sell_one(site)
        eventually(lambda: site.orders.order(order.id), 20, "the order is in the database")
        assert relay.terminate() == 0
        site.ledger.close()
        site.orders.close()
        assert "Traceback" not in relay.said()


def test_a_relay_expires_holds_until_it_is_interrupted(home: Home, redis_url: str) -> None:
    home.configure(redis=redis_url, relay={"after": "0s", "every": "100ms"})
    home.run("migrate")
    site = site_of(home)
    deadline = Deadline.after(5, SystemClock())
    site.ledger.load(Item("kettle", 5, hold_ms=1), deadline)
    site.ledger.reserve(Purchase(new_id("kettle"), "kettle", "alice", 1), deadline)
    with Daemon(home, "relay") as relay:
        eventually(lambda: free_units(site) == 5, 20, "units come back")
        assert relay.end_by(signal.SIGINT) == 0  # by hand
    site.ledger.close()


def free_units(site: Site) -> int:
    view = site.ledger.item("kettle", Deadline.after(5, SystemClock()))
    return view.free if view else 0


def test_a_relay_ends_at_once_though_its_ledger_never_came(home: Home) -> None:
    home.configure()
    home.run("migrate")
    with Daemon(home, "relay") as relay:
        relay.says("next")
        assert relay.terminate() == 0


def test_a_writer_waits_for_its_broker_and_its_database_and_then_writes(
    home: Home, redis_url: str, rabbit_server: RabbitMQ, mariadb_server: MariaDB, mariadb_url: str
) -> None:
    with Road() as to_broker, Road() as to_database:
        stores = {
            "broker": rabbit_server.url.replace(str(rabbit_server.port), str(to_broker.port)),
            "database": mariadb_url.replace(str(mariadb_server.port), str(to_database.port)),
        }
        names = {part: f"cli.{part}" for part in ("exchange", "queue", "parked")}
        home.configure(redis=redis_url, stores=stores, broker=names, relay={"after": "0s", "every": "100ms"})
        with Daemon(home, "writer") as writer, Daemon(home, "relay") as relay:
            writer.says("broker: ")
            to_broker.build(rabbit_server.address)
            site = site_of(home)
            order = sell_one(site)
            writer.says("database: ")
            to_database.build(mariadb_server.address)
            writer.says("migrations")
            assert home.run("migrate").code == 0
            eventually(lambda: site.orders.order(order.id), 40, "the order is in the database")
            assert (writer.terminate(), relay.terminate()) == (0, 0)
            site.ledger.close()
            site.orders.close()
            assert "Traceback" not in writer.said() + relay.said()


def test_a_sidecar_refuses_until_its_ledger_comes(home: Home, late_redis: Redis) -> None:
    port = free_port()
    home.configure(
        redis=late_redis.url,
        stores={"storefront": "http://127.0.0.1:1"},
        serve={"listen": f"{HOST}:{port}", "workers": 1},
        breakers={"ledger": {"wait": "300ms"}},
    )
    home.run("migrate")
    site = site_of(home)
    token = site.keyring.sign(BUYER, "alice", SystemClock().wall() + 60)
    with Daemon(home, "serve") as sidecar:
        sidecar.says("the gate refuses until it answers")
        eventually(lambda: listening(port), 20, "it listens")
        status, body = ask(port, "/buy/kettle", token)
        assert (status, json.loads(body)["verdict"]) == (503, "unavailable")
        assert ask(port, "/other")[0] == 502  # there is no storefront either
        late_redis.start()
        site.ledger.load(Item("kettle", 5), Deadline.after(5, SystemClock()))
        eventually(lambda: ask(port, "/buy/kettle", token)[0] == 201, 20, "it sells")
        assert sidecar.terminate() == 0
        assert "Traceback" not in sidecar.said()
    site.ledger.close()


@pytest.mark.parametrize("option", ["allkeys-lru", "allkeys-random"])
def test_a_ledger_that_could_delete_stock_is_refused_at_start(home: Home, option: str) -> None:
    with Redis(maxmemory_policy=option) as redis:
        home.configure(redis=redis.url, stores={"storefront": "http://127.0.0.1:1"})
        done = home.run("serve")
    assert done.code == 69
    assert option in done.err
    assert "noeviction" in done.err
