"""Faults of Redis and of the way to it."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from redis import RedisError

from faults.kinds.fault import Fault, Repeating
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


class Paused(Fault):
    """SIGSTOP for some seconds: connections stay, nobody answers."""

    name = "redis-paused"
    lasts = (1.5, 5.0)

    def inject(self) -> None:
        self.stage.redis.pause()
        self.paused = time.monotonic()

    def heal(self) -> None:
        self.stood = time.monotonic() - self.paused
        self.stage.redis.resume()

    def happened(self) -> int:
        return int(self.stood >= 1)


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


class Emptied(Fault):
    """FLUSHALL: the item is gone, and must not sell until it is made whole."""

    name = "redis-emptied"
    forgets = True

    def inject(self) -> None:
        self.stage.client().flushall()

    def heal(self) -> None:
        """Nothing heals it but a rebuild."""

    def happened(self) -> int:
        return int(self.stage.client().dbsize() <= self._left_by_buyers())

    def _left_by_buyers(self) -> int:
        return len(self.stage.client().keys("seckill:binding:*"))


class Older(Fault):
    """Started again from an append-only file of some moments ago."""

    name = "redis-older"
    lasts = (1.0, 1.5)
    forgets = True

    def inject(self) -> None:
        redis = self.stage.redis
        self.log, self.copy = redis.folder / "appendonlydir", redis.folder / "older"
        shutil.copytree(self.log, self.copy)
        time.sleep(1.0)  # it sells on
        self.now = _chain(self.stage.client(), self.plan.sku)
        redis.kill()
        shutil.rmtree(self.log)
        shutil.move(self.copy, self.log)
        redis.start()

    def heal(self) -> None:
        """Nothing heals it but a rebuild."""

    def happened(self) -> int:
        return int(_chain(self.stage.client(), self.plan.sku) < self.now)


class TailCut(Fault):
    """Killed, and the last bytes of its append-only file are gone: the disk had lied."""

    name = "redis-tail-cut"
    forgets = True

    def inject(self) -> None:
        redis = self.stage.redis
        self.now = _chain(self.stage.client(), self.plan.sku)
        redis.kill()
        newest = max(Path(redis.folder, "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        size = newest.stat().st_size
        with newest.open("r+b") as file:
            file.truncate(max(0, size - self.chance.randrange(1, 20_000)))

    def heal(self) -> None:
        self.stage.redis.start()

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
