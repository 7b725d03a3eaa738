"""Processes as their units run them: reloaded and restarted under load, nobody is refused and nothing is lost.

``UNIT_RELOADS=20 UNIT_RESTARTS=5 make test ARGS="-k unit_life"`` does it more often.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from stack import eventually
from unit_crowd import Crowd
from unit_site import UnitSite
from unit_words import Unit

RELOADS = int(os.environ.get("UNIT_RELOADS", "2"))
RESTARTS = int(os.environ.get("UNIT_RESTARTS", "1"))
SERVICES = ("seckill-sidecar.service", "seckill-relay.service", "seckill-writer@.service")


@pytest.fixture
def units(site: UnitSite) -> Iterator[list[Unit]]:
    """All services, running."""
    made = [site.unit(name) for name in SERVICES]
    with ExitStack() as running:
        for unit in made:
            running.push(unit)
        with ThreadPoolExecutor() as starters:
            list(starters.map(Unit.start, made))
        yield made


def test_reloads_and_restarts_under_load_fail_no_request_and_lose_no_order(site: UnitSite, units: list[Unit]) -> None:
    with Crowd(site.port, site.token) as crowd:
        for _ in range(RELOADS):
            bought_more(crowd)
            for unit in units:
                assert unit.reload()
        for _ in range(RESTARTS):
            bought_more(crowd)
            for unit in units:
                unit.restart()
        bought_more(crowd)
    assert crowd.failed == []
    found = site.audit()
    assert found["balanced"]
    assert (found["accepted"], found["missing"], found["parked"]) == (len(set(crowd.accepted)), 0, 0)
    assert [unit.stop() for unit in units] == [0, 0, 0]
    assert "Traceback" not in "".join(unit.said() for unit in units)


def bought_more(crowd: Crowd, orders: int = 20) -> None:
    """Wait until so many more were sold."""
    before = len(crowd.accepted)
    eventually(lambda: crowd.failed or len(crowd.accepted) >= before + orders, 90, "the sale goes on")


def test_what_is_wrong_with_the_configuration_changes_nothing(site: UnitSite, units: list[Unit]) -> None:
    pids = [unit.pid for unit in units]
    site.spoil()
    for unit in units:
        assert not unit.reload()  # the check refuses
        unit.hang_up()  # nobody asked the check
        unit.says("not reloaded, the last good configuration stays")
        unit.says("seckill.yaml:2:")
    with Crowd(site.port, site.token) as crowd:
        bought_more(crowd)
    assert crowd.failed == []
    assert [unit.pid for unit in units if unit.running] == pids


def test_a_worker_that_is_replaced_goes_on_with_the_last_good_configuration(site: UnitSite) -> None:
    with site.unit("seckill-sidecar.service") as sidecar:
        site.spoil()
        os.kill(children(sidecar.pid)[0], 9)
        sidecar.is_told("READY=1")
        with Crowd(site.port, site.token) as crowd:
            bought_more(crowd)
        assert crowd.failed == []


def test_a_reload_takes_the_new_settings(site: UnitSite) -> None:
    with site.unit("seckill-sidecar.service") as sidecar:
        site.configure(serve={"listen": f"127.0.0.1:{site.port}", "workers": 1})
        assert sidecar.reload()
        eventually(lambda: len(children(sidecar.pid)) == 1, 90, "one worker is left")
        site.configure(serve={"listen": "127.0.0.1:1", "workers": 2})
        assert sidecar.reload()
        sidecar.says("change by a restart only")
        assert site.get(site.port, "/elsewhere") == 502
    with site.unit("seckill-relay.service") as relay:
        site.configure(log={"level": "debug"}, relay={"every": "100ms"})
        before = relay.pid
        assert relay.reload()
        assert relay.pid == before
        relay.says("reloading")


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def test_the_watchdog_hears_of_every_process(units: list[Unit]) -> None:
    for unit in units:
        unit.is_told("WATCHDOG=1")


def test_the_operators_door_is_opened_beside_the_one_that_systemd_opened(site: UnitSite) -> None:
    with site.unit("seckill-sidecar.service"):
        assert site.get(site.operators_port, "/healthz") == 200
        assert site.get(site.port, "/healthz") == 502  # the storefront's, who is not there


def test_a_door_that_the_configuration_does_not_name_is_refused(site: UnitSite) -> None:
    site.configure(serve={"listen": "127.0.0.1:1", "workers": 1})
    sidecar = site.unit("seckill-sidecar.service")
    with pytest.raises(AssertionError, match="ListenStream"):
        sidecar.__enter__()


@pytest.mark.parametrize("name", ["seckill-relay.service", "seckill-writer@.service"])
def test_a_reload_does_not_bring_back_what_was_told_to_end(site: UnitSite, name: str) -> None:
    with site.unit(name) as unit:
        unit.hang_up()
        assert unit.stop() == 0
