"""The real stack, started once: stores behind taps, and the site's own programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import yaml
from demo import programs
from demo.site import Home
from redis import Redis as Client
from stack import MariaDB, RabbitMQ, Redis, Server

from faults.books import Shelf
from faults.plan import Plan
from faults.tap import Tap
from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.faults import VARIABLE
from seckill_sidecar.model import Item
from seckill_sidecar.settings.schema import Settings, Stores, Timeouts

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

    def __init__(self, folder: Path, mariadb: MariaDB, rabbit: RabbitMQ, started: ExitStack) -> None:
        redis = Redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
        self.redis = started.enter_context(redis)
        self.mariadb, self.rabbit = mariadb, rabbit
        database = self.mariadb.create_database(EXCHANGE)
        self.redis_tap = started.enter_context(Tap(self.redis.address))
        self.database_tap = started.enter_context(Tap(self.mariadb.address))
        self.shelf = Shelf(self.redis.url, database)
        home = Home(folder)
        self.shop = programs.OldShop(home)
        self.sidecar, self.relay, self.writers = Sidecar(home), Relay(home), (Writer(home, 1), Writer(home, 2))
        stores = {
            "redis": _through(self.redis_tap, self.redis.url),
            "database": _through(self.database_tap, database),
            "broker": self.rabbit.url,
            "storefront": self.shop.url,
        }
        home.config.write_text(_config(stores, self.sidecar.url.removeprefix("http://")))
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

    def settle(self) -> None:
        """Whole again, whatever the last run did to it."""
        self.redis_tap.calm()
        self.database_tap.calm()
        for server in (*self.stores, self.shop, *self.programs):
            server.heal()
        for program in self.programs:
            if program.armed:
                program.rearm("")

    def open_sale(self, plan: Plan) -> None:
        """Put the run's item on sale."""
        item = Item(plan.sku, plan.total, per_buyer=plan.per_buyer, hold_ms=int(plan.hold * 1000))
        with closing(self.ledger()) as ledger:
            ledger.load(item, Deadline.after(15.0, SystemClock()))

    def ledger(self) -> RedisLedger:
        """The ledger as the program itself reaches it, past the tap, with patience for a busy disk."""
        patient = Timeouts().model_copy(update={"ledger": 5.0, "connect": 5.0})
        return connect_ledger(Settings(stores=Stores(redis=self.redis.url), timeouts=patient), SystemClock())

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
def opened_stage(folder: Path, mariadb: MariaDB, rabbit: RabbitMQ) -> Iterator[Stage]:
    """Start all that is not running yet, with configuration and logs of the programs in ``folder``; end it."""
    with ExitStack() as started:
        yield Stage(folder, mariadb, rabbit, started)


def _through(tap: Tap, url: str) -> str:
    port = urlsplit(url).port
    return url.replace(f":{port}/", f":{tap.port}/")


def _config(stores: dict[str, str], listen: str) -> str:
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
    }
    return yaml.safe_dump(settings, sort_keys=False)
