"""What the tests of the replica say: a database and a real replica of it, and orders that both or one of them know."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Self

from stack import MariaDB
from stack.ports import HOST

from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Event, EventKind, Item, Order, Purchase, State
from seckill_sidecar.settings import loads
from seckill_sidecar.wiring import Site

SKU = "kettle"
DATABASE = "shop"
_NOBODY = f"redis://{HOST}:1/0"
_new_id = order_ids(SystemClock())
_numbers = count(1)


class Pair:
    """Two MariaDBs, the second of which follows the first."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self.primary = MariaDB(server_id="1", log_bin="binlog")
        self.replica = MariaDB(server_id="2", read_only="1")

    def __enter__(self) -> Self:
        for server in (self.primary, self.replica):
            self._opened.enter_context(server)
        self.replica.sql(
            f"CHANGE MASTER TO MASTER_HOST='{HOST}', MASTER_PORT={self.primary.port}, MASTER_USER='root',"
            " MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos; START SLAVE"
        )
        self.primary.create_database(DATABASE)
        site_of(self).orders.migrate()
        self.catch_up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    def heal(self) -> None:
        """Let both run, and the second know all that the first does."""
        for server in (self.primary, self.replica):
            server.heal()
        self.replica.sql("START SLAVE")
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until the replica has everything."""
        position = self.primary.sql("SELECT @@gtid_binlog_pos").strip()
        assert self.replica.sql(f"SELECT MASTER_GTID_WAIT('{position}', 60)").strip() == "0"

    def fall_behind(self) -> None:
        """The replica hears of nothing from now on."""
        self.replica.sql("STOP SLAVE")


def site_of(pair: Pair, redis: str = _NOBODY, replica: str | None = None, **changes: Any) -> Site:
    """A site on both, whose ledger nobody reaches unless a test names one."""
    stores = {
        "redis": redis,
        "database": f"{pair.primary.url}{DATABASE}",
        "replica": replica or f"{pair.replica.url}{DATABASE}",
    }
    timeouts = {"request": "8s", "connect": "1s", "ledger": "2s"}
    lines = [f"stores: {stores}", f"timeouts: {timeouts}", *(f"{name}: {value}" for name, value in changes.items())]
    return Site(loads("\n".join(lines).replace("'", '"'), "seckill.yaml", {}))


def sell_one(site: Site) -> Order:
    """An order in the ledger."""
    deadline = Deadline.after(5, SystemClock())
    site.ledger.load(Item(SKU, 5), deadline)
    decision = site.ledger.reserve(Purchase(_new_id(SKU), SKU, "ann", 1), deadline)
    assert decision.order is not None
    return decision.order


def accepted() -> Event:
    """An order that a gate accepted."""
    seq = next(_numbers)
    order = Order(_new_id(SKU), SKU, 1, seq, "ann", 1, State.HELD, 1_700_000_000_000 + seq, 1_700_000_900_000 + seq)
    return Event(EventKind.ACCEPTED, 1, order, 1_000_000, order.accepted_at_ms, chain=seq)


def paid(event: Event) -> Event:
    """The same order, paid for."""
    seq = next(_numbers)
    order = replace(event.order, state=State.PAID)
    return Event(EventKind.PAID, 2, order, event.total, event.at_ms + 5, chain=seq)
