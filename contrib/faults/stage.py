"""The real stack, started once: stores behind taps, and the site's own programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import yaml
from demo import programs
from demo.site import Home
from pika.exceptions import AMQPError
from redis import Redis as Client
from stack import MariaDB, RabbitMQ, Redis, Server, eventually

from faults.books import Shelf
from faults.plan import Plan
from faults.tap import Tap
from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import UsageError
from seckill_sidecar.faults import VARIABLE
from seckill_sidecar.model import Item
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings.schema import Settings, Stores, Timeouts, WriterSettings

EXCHANGE, ORDERS_QUEUE, PARKED_QUEUE = "faults", "faults.orders", "faults.parked"
_MARK = b"fault point "


class Program(programs.Program):
    """One of the site's programs, which may be started with fault points armed."""

    armed = ""

    def environment(self) -> dict[str, str]:
        return super().environment() | {VARIABLE: self.armed}

    def rearm(self, armed: str) -> None:
        """Start it anew with these fault points; as an empty text, with none."""
        self.stop()
        self.armed = armed
        self.start()

    def hits(self) -> int:
        """How often an armed point was come by, since the stage was set."""
        return self.log.read_bytes().count(_MARK) if self.log.exists() else 0


class Sidecar(Program, programs.Sidecar):
    """``serve``: two workers."""


class Relay(Program, programs.Relay):
    """``relay``."""


class Writer(Program, programs.Writer):
    """``writer``."""


class Stage:
    """Everything that runs. Use ``opened_stage``."""

    def __init__(self, folder: Path, mariadb: MariaDB, rabbit: RabbitMQ, tapped: bool, started: ExitStack) -> None:
        redis = Redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
        self.redis = started.enter_context(redis)
        self.mariadb, self.rabbit = mariadb, rabbit
        database = self.mariadb.create_database(EXCHANGE)
        self.redis_tap = started.enter_context(Tap(self.redis.address))
        self.database_tap = started.enter_context(Tap(self.mariadb.address))
        self.shelf = Shelf(self.redis.url, database)
        self.home = home = Home(folder)
        self.shop = programs.OldShop(home)
        self.sidecar, self.relay, self.writers = Sidecar(home), Relay(home), (Writer(home, 1), Writer(home, 2))
        self._stores = {
            "redis": _through(self.redis_tap, self.redis.url) if tapped else self.redis.url,
            "database": _through(self.database_tap, database) if tapped else database,
            "broker": self.rabbit.url,
            "storefront": self.shop.url,
        }
        self._write_config([])
        programs.run_command(home, "migrate")
        for program in (self.shop, *self.programs):
            started.enter_context(program)

    @property
    def programs(self) -> Sequence[Program]:
        """What the site runs, besides the shop."""
        return (self.sidecar, self.relay, *self.writers)

    @property
    def stores(self) -> Sequence[Server]:
        return (self.redis, self.mariadb, self.rabbit)

    def _write_config(self, items: Sequence[dict[str, Any]]) -> None:
        listen = self.sidecar.url.removeprefix("http://")
        self.home.config.write_text(_config(self._stores, listen, items))

    def settle(self) -> None:
        """Whole again, whatever the last run did to it."""
        self.redis_tap.calm()
        self.database_tap.calm()
        for server in (*self.stores, self.shop, *self.programs):
            server.heal()
        for program in self.programs:
            if program.armed:
                program.rearm("")
        self.await_writers()

    def await_writers(self) -> None:
        """Until both consume: a fault of theirs, or of the database, can't happen before."""
        eventually(self.writers_consume, within=60.0, what="the writers consume")

    def writers_consume(self) -> bool:
        """Whether both do. They declare the queue themselves."""
        try:
            with self.channel() as channel:
                declared = channel.queue_declare(ORDERS_QUEUE, passive=True)
        except AMQPError:
            return False
        return bool(declared.method.consumer_count >= len(self.writers))

    def open_sale(self, plan: Plan) -> None:
        """Put the run's item on sale, as ``item load`` does."""
        item = Item(plan.sku, plan.total, per_buyer=plan.per_buyer, hold_ms=int(plan.hold * 1000))
        deadline = _deadline()
        with closing(self.ledger()) as ledger, closing(self._orders()) as orders:
            view = ledger.load(item, deadline, status="closed")
            orders.begin_epoch(plan.sku, view.epoch, plan.total)
            ledger.switch(plan.sku, "open", deadline)

    def rebuild(self, plan: Plan) -> None:
        """What an operator does when the ledger has forgotten."""
        # Of an item that is gone altogether only the configuration knows the terms.
        terms = {"sku": plan.sku, "total": plan.total, "per_buyer": plan.per_buyer, "hold": f"{plan.hold:.0f}s"}
        self._write_config([terms])
        with closing(self.ledger()) as ledger, suppress(UsageError):  # it need not be there
            ledger.switch(plan.sku, "paused", _deadline())
        delivering = (self.relay, *self.writers)
        for program in delivering:
            program.stop()
        programs.run_command(self.home, "rebuild", plan.sku, "--apply", "--open")
        for program in delivering:
            program.start()

    def ledger(self) -> RedisLedger:
        """The ledger as the program itself reaches it, past the tap, with patience for a busy disk."""
        patient = Timeouts().model_copy(update={"ledger": 5.0, "connect": 5.0})
        return connect_ledger(Settings(stores=Stores(redis=self.redis.url), timeouts=patient), SystemClock())

    def _orders(self) -> OrdersDb:
        return connect_orders_db(self.shelf.database, WriterSettings(), Timeouts(), connections=1)

    def client(self) -> Any:
        """A plain client of Redis."""
        return Client.from_url(self.redis.url, socket_timeout=5.0, protocol=2)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of RabbitMQ."""
        connection = pika.BlockingConnection(pika.URLParameters(self.rabbit.url))
        with closing(connection):
            yield connection.channel()


@contextmanager
def opened_stage(folder: Path, mariadb: MariaDB, rabbit: RabbitMQ, tapped: bool = True) -> Iterator[Stage]:
    """Start all that is not running yet, with configuration and logs of the programs in ``folder``; end it.

    Without taps the programs reach Redis and MariaDB themselves, which is faster.
    """
    with ExitStack() as started:
        yield Stage(folder, mariadb, rabbit, tapped, started)


def _deadline() -> Deadline:
    return Deadline.after(15.0, SystemClock())


def _through(tap: Tap, url: str) -> str:
    port = urlsplit(url).port
    return url.replace(f":{port}/", f":{tap.port}/")


def _config(stores: dict[str, str], listen: str, items: Sequence[dict[str, Any]]) -> str:
    settings: dict[str, Any] = {
        "stores": stores,
        "serve": {"listen": listen, "workers": 2},
        "keys": [{"id": "faults", "secret": "${SECKILL_SECRET}"}],
        "identity": {"buyer": {"header": "X-Buyer", "trust": "client"}},
        "broker": {"exchange": EXCHANGE, "queue": ORDERS_QUEUE, "parked": PARKED_QUEUE},
        "routes": [
            {
                "name": "buy",
                "path": "/buy/{sku}",
                "item": {"path": "sku"},
                "quantity": {"query": "quantity", "default": 1},
                "on_accept": "json",
            }
        ],
        "items": list(items),
    }
    return yaml.safe_dump(settings, sort_keys=False)
