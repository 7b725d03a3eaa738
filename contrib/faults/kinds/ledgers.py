"""Faults of Redis and of the way to it."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from redis import RedisError
from stack import Server

from faults.kinds.fault import Fault, Forgetting, Pausing, Repeating
from faults.tap import Spoil


class ReplyLost(Fault):
    """A script runs, and its reply never comes."""

    name = "redis-reply-lost"
    lasts = (2.0, 4.0)

    def inject(self) -> None:
        # Each single one: then even asking again until the request's time is over leaves it unknown.
        self.stage.redis_tap.spoil(Spoil(b"EVALSHA", "mute", every=self.chance.choice([1, 1, 2, 5])))

    def heal(self) -> None:
        self.stage.redis_tap.calm()

    def happened(self) -> int:
        return self.stage.redis_tap.spoiled


class ReplyCut(ReplyLost):
    """A script runs, and the connection ends instead of its reply."""

    name = "redis-reply-cut"

    def inject(self) -> None:
        self.stage.redis_tap.spoil(Spoil(b"EVALSHA", "hang up", every=self.chance.randrange(1, 5)))


class ReplyLate(ReplyLost):
    """A script's reply comes after the timeout of 0.5 s."""

    name = "redis-reply-late"

    def inject(self) -> None:
        seconds = self.chance.uniform(0.6, 1.2)
        self.stage.redis_tap.spoil(Spoil(b"EVALSHA", "delay", every=self.chance.randrange(1, 5), seconds=seconds))


class ScriptsFlushed(Repeating):
    """SCRIPT FLUSH, again and again."""

    name = "redis-script-flush"
    every = 0.05

    def again(self) -> int:
        return int(self.stage.redis.ask("SCRIPT FLUSH") == "+OK")


class Killed(Fault):
    """kill -9, and started again."""

    name = "redis-killed"

    def inject(self) -> None:
        self.before = self.stage.redis.pid
        self.stage.redis.kill()

    def heal(self) -> None:
        self.stage.redis.start()

    def happened(self) -> int:
        return int(self.stage.redis.pid != self.before)


class Paused(Pausing):
    """SIGSTOP for some seconds."""

    name = "redis-paused"

    @property
    def victim(self) -> Server:
        return self.stage.redis


class OutOfMemory(Fault):
    """maxmemory reached: Redis refuses every script that writes."""

    name = "redis-out-of-memory"

    def inject(self) -> None:
        self.before = self._refused()
        self.stage.client().config_set("maxmemory", "1")

    def heal(self) -> None:
        self.stage.client().config_set("maxmemory", "0")

    def happened(self) -> int:
        return self._refused() - self.before

    def _refused(self) -> int:
        found = self.stage.client().info("errorstats").get("errorstat_OOM") or {}
        return int(found.get("count", 0))


class WrongType(Fault):
    """One of the item's keys is of another type."""

    name = "redis-wrong-type"

    def inject(self) -> None:
        part = self.chance.choice(["item", "buyers", "orders", "keys", "due", "outbox"])
        self.key = f"seckill:{{{self.plan.sku}}}:{part}"
        client = self.stage.client()
        self.before = _wrong_types(client)
        with client.pipeline(transaction=True) as both:
            both.rename(self.key, f"{self.key}:aside").set(self.key, "not what it was")
            both.execute()

    def heal(self) -> None:
        self.stage.client().rename(f"{self.key}:aside", self.key)

    def happened(self) -> int:
        return _wrong_types(self.stage.client()) - self.before


class Emptied(Forgetting):
    """FLUSHALL: nothing of the item is left."""

    name = "redis-emptied"

    def inject(self) -> None:
        before = _chain(self.stage.client(), self.plan.sku)
        self.stage.client().flushall()
        self.lost = before - _chain(self.stage.client(), self.plan.sku)

    def happened(self) -> int:
        return self.lost


class Older(Forgetting):
    """Started again from an append-only file of some moments ago."""

    name = "redis-older"
    lasts = (1.0, 1.5)

    def inject(self) -> None:
        redis = self.stage.redis
        log, copy = redis.folder / "appendonlydir", redis.folder / "older"
        shutil.copytree(log, copy)
        time.sleep(1.0)  # it sells on
        now = _chain(self.stage.client(), self.plan.sku)
        redis.kill()
        shutil.rmtree(log)
        shutil.move(copy, log)
        redis.start()
        self.lost = now - _chain(self.stage.client(), self.plan.sku)

    def happened(self) -> int:
        return self.lost


class TailCut(Forgetting):
    """Killed, and the last bytes of its append-only file are gone: the disk had lied."""

    name = "redis-tail-cut"

    def inject(self) -> None:
        redis = self.stage.redis
        redis.kill()
        newest = max(Path(redis.folder, "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        size = newest.stat().st_size
        with newest.open("r+b") as file:
            file.truncate(max(0, size - self.chance.randrange(1, 20_000)))
        redis.start()

    def happened(self) -> int:
        return int("truncated" in self.stage.redis.log.read_text(errors="replace").lower())


class Flapping(Repeating):
    """Stopped and continued again and again: the breaker opens, tries, and opens anew."""

    name = "redis-flapping"
    lasts = (4.0, 6.0)
    every = 0.3

    def again(self) -> int:
        self.stage.redis.pause()
        time.sleep(self.chance.uniform(0.4, 1.2))
        self.stage.redis.resume()
        return 1


def _wrong_types(client: Any) -> int:
    found = client.info("errorstats").get("errorstat_WRONGTYPE") or {}
    return int(found.get("count", 0))


def _chain(client: Any, sku: str) -> int:
    """How many events the item had."""
    with contextlib.suppress(RedisError):
        return int(client.hget(f"seckill:{{{sku}}}:item", "chain") or 0)
    return 0


KINDS: list[type[Fault]] = [
    ReplyLost,
    ReplyCut,
    ReplyLate,
    ScriptsFlushed,
    OutOfMemory,
    WrongType,
    Paused,
    Killed,
    Flapping,
    Older,
    TailCut,
    Emptied,
]
