"""Each way in which a Redis can be unfit to hold the stock, on a real one."""

from __future__ import annotations

import pytest
from doctor_words import Practice
from stack import Redis, Valkey
from stack.ports import free_port

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.ops import doctor
from seckill_sidecar.wiring import Site

FIT = {"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "noeviction"}


class Ahead(SystemClock):
    """A host whose clock is wrong."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wall(self) -> float:
        return super().wall() + self._seconds


@pytest.mark.parametrize("kind", [Redis, Valkey])
def test_a_server_as_the_readme_wants_it_is_well(practice: Practice, kind: type[Redis]) -> None:
    with kind(**FIT) as server:
        practice.examine(stores={"redis": server.url}).expect_nothing_to_mend("redis", "clocks")


@pytest.mark.parametrize(
    ("options", "level", "check", "words"),
    [
        ({"appendonly": "no"}, "fail", "appendonly", "set appendonly yes"),
        ({"appendfsync": "everysec"}, "fail", "appendfsync", "everysec: a power cut"),
        ({"appendfsync": "no"}, "fail", "appendfsync", "set appendfsync always"),
        ({"maxmemory_policy": "allkeys-lru"}, "fail", "eviction", "can delete stock"),
        ({"maxmemory_policy": "volatile-ttl"}, "warn", "eviction", "can forget idempotency keys"),
        ({"maxmemory": "100kb"}, "fail", "memory", "soon it refuses all purchases"),
        ({"maxmemory": "100kb"}, "fail", "write", "used memory > 'maxmemory'"),
        ({"replicaof": f"127.0.0.1 {free_port()}"}, "fail", "role", "this is a replica"),
        ({"cluster_enabled": "yes"}, "fail", "cluster", "not in order"),
    ],
)
def test_a_wrong_setting_is_found(
    practice: Practice, options: dict[str, str], level: str, check: str, words: str
) -> None:
    with Redis(**FIT | options) as server:
        found = practice.examine(stores={"redis": server.url})
    found.expect(level, "redis", check, words)


def test_a_server_that_is_not_there_is_named(practice: Practice) -> None:
    practice.examine().expect("fail", "redis", "reachable", "can't connect")


@pytest.mark.parametrize(
    ("rights", "level", "check", "words"),
    [
        ("+@all -config", "warn", "appendfsync", "may not ask"),
        ("+@all -xadd", "fail", "scripts", "+xadd"),
        ("+@all -eval -evalsha", "fail", "scripts", "no script can be run"),
        ("+@all -set", "fail", "write", "it takes no writes"),
        ("+@all -info", "fail", "reachable", "info"),
    ],
)
def test_a_missing_right_is_found(practice: Practice, rights: str, level: str, check: str, words: str) -> None:
    with Redis(**FIT) as server:
        assert server.ask(f"ACL SETUSER clerk on >secret ~* {rights}") == "+OK"
        found = practice.examine(stores={"redis": server.url.replace("//", "//clerk:secret@")})
    found.expect(level, "redis", check, words)


def test_a_server_that_hangs_is_given_up(practice: Practice) -> None:
    with Redis(**FIT) as server:
        server.pause()
        practice.examine(stores={"redis": server.url}).expect("fail", "redis", "reachable")
        server.resume()


def test_a_clock_that_is_behind_is_found(practice: Practice) -> None:
    with Redis(**FIT) as server:
        site = Site(practice.settings(stores={"redis": server.url}), Ahead(seconds=100))
        told = [one for one in doctor.examine(site.examined()) if (one.subject, one.check) == ("clocks", "redis")]
    assert [(one.level.word, one.says.partition(":")[0]) for one in told] == [("fail", "100.0 s behind this host")]
