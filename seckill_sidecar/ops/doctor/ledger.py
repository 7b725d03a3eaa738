"""Whether a Redis may hold the stock: it must keep what it was told, delete nothing, and let us run everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ports import LedgerVitals

_REDIS = Subject("redis")
_OLDEST = (7, 0)
_SLOW = 0.02
_TIGHT, _FULL = 0.8, 0.95


def judge(vitals: LedgerVitals) -> Iterator[Finding]:
    """Everything about one server."""
    info = vitals.info
    yield _version(info)
    yield _role(info)
    yield from _durability(info, vitals.appendfsync)
    yield _eviction(info.get("maxmemory_policy", "noeviction"))
    yield _memory(info)
    yield _scripts(vitals)
    yield _writing(vitals.no_write)
    yield _latency(vitals.seconds)
    yield _cluster(info, vitals.nodes)


def _version(info: Mapping[str, str]) -> Finding:
    if "valkey_version" in info:
        return _REDIS.ok("version", f"Valkey {info['valkey_version']}")
    told = info.get("redis_version", "0")
    if tuple(int(part) for part in told.split(".")[:2] if part.isdigit()) < _OLDEST:
        return _REDIS.fail("version", f"Redis {told} is too old", "take Redis 7.0 or later, or Valkey")
    return _REDIS.ok("version", f"Redis {told}")


def _role(info: Mapping[str, str]) -> Finding:
    role = info.get("role", "master")
    if role != "master":
        return _REDIS.fail(
            "role", f"this is a replica (role {role}), which takes no orders", "name the master in stores.redis"
        )
    return _REDIS.ok("role", "master")


def _durability(info: Mapping[str, str], fsync: str) -> Iterator[Finding]:
    if info.get("aof_enabled") != "1":
        yield _REDIS.fail(
            "appendonly",
            "no: a restart takes back every order since the last snapshot",
            "set appendonly yes in redis.conf, and at once: CONFIG SET appendonly yes",
        )
        return
    yield _REDIS.ok("appendonly", "yes")
    if info.get("aof_last_write_status", "ok") != "ok":
        yield _REDIS.fail("aof-write", "its last write to the append-only file failed", "free disk space; see its log")
    if not fsync:
        yield _REDIS.warn(
            "appendfsync", "this user may not ask for it (CONFIG GET)", "see to it by hand that appendfsync is always"
        )
    elif fsync != "always":
        yield _REDIS.fail(
            "appendfsync",
            f"{fsync}: a power cut takes back the last orders that buyers were told of",
            "set appendfsync always in redis.conf, and at once: CONFIG SET appendfsync always",
        )
    else:
        yield _REDIS.ok("appendfsync", "always")


def _eviction(policy: str) -> Finding:
    remedy = "set maxmemory-policy noeviction in redis.conf, and at once: CONFIG SET maxmemory-policy noeviction"
    if policy.startswith("allkeys-"):
        return _REDIS.fail("eviction", f"maxmemory-policy {policy} can delete stock and orders", remedy)
    if policy != "noeviction":
        return _REDIS.warn("eviction", f"maxmemory-policy {policy} can forget idempotency keys and rate limits", remedy)
    return _REDIS.ok("eviction", "noeviction")


def _memory(info: Mapping[str, str]) -> Finding:
    used, bound = int(info.get("used_memory", "0")), int(info.get("maxmemory", "0"))
    most = bound or int(info.get("total_system_memory", "0"))
    name = "maxmemory" if bound else "the machine's memory"
    if not most:
        return _REDIS.skipped("memory", "it does not tell how much it may use")
    says = f"{used / most:.0%} of {name} ({most / 2**20:.0f} MiB) is used"
    remedy = "raise maxmemory, or remove other data; an order takes some 700 bytes"
    if used > _FULL * most:
        return _REDIS.fail("memory", f"{says}: soon it refuses all purchases", remedy)
    if used > _TIGHT * most:
        return _REDIS.warn("memory", says, remedy)
    return _REDIS.ok("memory", says)


def _scripts(vitals: LedgerVitals) -> Finding:
    if vitals.no_script:
        return _REDIS.fail(
            "scripts", f"no script can be run: {vitals.no_script}", "allow EVAL and EVALSHA: ACL SETUSER … +@scripting"
        )
    if vitals.forbidden:
        words = " ".join(f"+{command.lower()}" for command in vitals.forbidden)
        return _REDIS.fail(
            "scripts",
            f"this user may not run {' '.join(vitals.forbidden)}: a script would stop in its middle",
            f"ACL SETUSER … {words}",
        )
    return _REDIS.ok("scripts", "this user may run all that they run")


def _writing(why: str) -> Finding:
    if why:
        return _REDIS.fail("write", f"it takes no writes: {why}", "mend what it says; its own log says more")
    return _REDIS.ok("write", "a key was written")


def _latency(seconds: float) -> Finding:
    says = f"{seconds * 1000:.1f} ms for the quickest answer"
    if seconds > _SLOW:
        return _REDIS.warn(
            "latency", f"{says}: every purchase waits that long", "put it near the sidecars; see SLOWLOG GET"
        )
    return _REDIS.ok("latency", says)


def _cluster(info: Mapping[str, str], nodes: int) -> Finding:
    if info.get("cluster_enabled") != "1":
        return _REDIS.ok("cluster", "none")
    if nodes != 1:
        found = f"its slots are shared by {nodes} nodes" if nodes else "it is a Cluster that is not in order"
        return _REDIS.fail(
            "cluster",
            f"{found}, but the sidecar talks to one node that has all of them",
            "give all slots to one node (CLUSTER INFO tells), or take a Redis that is no Cluster",
        )
    return _REDIS.ok("cluster", "one node has all slots")
