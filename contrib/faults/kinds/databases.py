"""Faults of MariaDB and of the way to it."""

from __future__ import annotations

import time
from contextlib import closing

import pymysql
from stack import Server

from faults.books import connect
from faults.kinds.fault import Fault, Pausing, Repeating
from faults.tap import Spoil


class CommitReplyLost(Fault):
    """COMMIT is done, and the connection ends instead of saying so."""

    name = "database-commit-reply-lost"

    def inject(self) -> None:
        self.stage.database_tap.spoil(Spoil(b"\x03COMMIT", "hang up", every=self.chance.randrange(1, 4)))

    def heal(self) -> None:
        self.stage.database_tap.calm()

    def happened(self) -> int:
        return self.stage.database_tap.spoiled


class Killed(Fault):
    """kill -9, and started again."""

    name = "database-killed"

    def inject(self) -> None:
        self.before = self.stage.mariadb.pid
        self.stage.mariadb.kill()

    def heal(self) -> None:
        self.stage.mariadb.start()

    def happened(self) -> int:
        return int(self.stage.mariadb.pid != self.before)


class Paused(Pausing):
    """SIGSTOP for some seconds."""

    name = "database-paused"

    @property
    def victim(self) -> Server:
        return self.stage.mariadb


class RowLocked(Fault):
    """Another session holds the item's row: writers wait, and run into the lock's time limit."""

    name = "database-row-locked"
    lasts = (2.5, 3.5)

    def inject(self) -> None:
        self.before = self._waits()
        with closing(connect(self.stage.shelf.database)) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.innodb_lock_wait_timeout")
            self.patience: int = (cursor.fetchone() or (50,))[0]
            cursor.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
        self.session = connect(self.stage.shelf.database)
        self.session.begin()
        with self.session.cursor() as cursor:
            cursor.execute("SELECT * FROM seckill_items WHERE item = %s FOR UPDATE", (self.plan.sku,))

    def heal(self) -> None:
        self.session.rollback()
        with self.session.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_lock_wait_timeout = %s", (self.patience,))
        self.session.close()

    def happened(self) -> int:
        return self._waits() - self.before

    def _waits(self) -> int:
        return int(self.stage.shelf.select("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'")[0][1])


class Deadlocked(Repeating):
    """Another session takes the same rows in the opposite order."""

    name = "database-deadlock"
    lasts = (2.5, 3.5)
    every = 0.0

    def inject(self) -> None:
        self.before = self._deadlocks()
        super().inject()

    def again(self) -> int:
        with closing(connect(self.stage.shelf.database)) as session, session.cursor() as cursor:
            session.begin()
            try:
                cursor.execute("SELECT * FROM seckill_items WHERE item = %s FOR UPDATE", (self.plan.sku,))
                time.sleep(0.1)  # a writer comes as far as this row, with its orders locked
                cursor.execute("UPDATE seckill_orders SET reason = reason WHERE item = %s", (self.plan.sku,))
            except pymysql.OperationalError:
                pass  # one of the two is the victim; whichever, it happened
            session.rollback()
        return 0

    def happened(self) -> int:
        return self._deadlocks() - self.before

    def _deadlocks(self) -> int:
        return int(self.stage.shelf.select("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])


KINDS: list[type[Fault]] = [CommitReplyLost, RowLocked, Deadlocked, Paused, Killed]
