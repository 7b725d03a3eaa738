"""``status`` at a glance, ``/status`` and ``/readyz`` for programs: what stands how, and what wants to be seen to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from metrics_site import TOKEN, Sidecar
from stack import Redis

from seckill_sidecar.adapters.ledger import Keys
from seckill_sidecar.cli import main
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item
from seckill_sidecar.ports import Parked

SKU = "sneaker"


def soon() -> Deadline:
    return Deadline.after(5, SystemClock())


@pytest.fixture
def sidecar(redis_url: str) -> Iterator[Sidecar]:
    """A site whose sidecar isn't started."""
    sidecar = Sidecar(redis_url)
    with closing(sidecar.site.ledger), closing(sidecar.site.orders):
        sidecar.site.ledger.load(Item(SKU, 40), soon())
        yield sidecar
    sidecar.close()


@pytest.fixture
def look(sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command; its exit code and what it printed."""
    for name in ("TOKEN", "SECRET"):
        monkeypatch.setenv(name, sidecar.environment()[name])

    def run(*words: str) -> tuple[int, str]:
        code = main(["status", "-c", str(sidecar.config), *words])
        return code, capsys.readouterr().out

    return run


def test_what_is_well_is_shown_in_a_few_lines(look: Any) -> None:
    code, said = look()
    assert code == 0
    assert "stores  ledger ok, database ok" in said
    assert [line.split() for line in said.splitlines()[3:]] == [[SKU, "open", "40", "40", "0", "0", "0", "-"]]


def test_what_wants_to_be_seen_to_is_named_with_its_remedy(sidecar: Sidecar, look: Any, redis_server: Redis) -> None:
    sidecar.site.ledger.switch(SKU, "paused", soon())
    sidecar.site.orders.park(Parked("m", "no such column", b"?", 1))
    sidecar.site.ledger.load(Item("boots", 4), soon())
    sidecar.site.ledger._line.ask("SET", Keys("seckill").of("boots", "item"), "rubbish", deadline=soon())
    code, said = look()
    assert code == 1
    assert f"{SKU} is paused: see the log, then seckill-sidecar item open {SKU}" in said
    assert "boots can't be read (WRONGTYPE" in said
    assert "1 messages are parked and wait for you: seckill-sidecar parked list" in said


def test_a_store_that_does_not_answer_keeps_nothing_else_from_being_told(
    sidecar: Sidecar, look: Any, redis_server: Redis
) -> None:
    redis_server.kill()
    code, said = look("--json")
    told = json.loads(said)
    assert code == 1
    assert told["stores"]["database"] == "ok"
    assert "can't connect" in told["stores"]["ledger"]
    assert told["parked"] == {"parked": 0, "late_payment": 0, "retried": 0, "refunded": 0}


def test_the_operators_address_tells_the_same_to_who_has_the_token(sidecar: Sidecar) -> None:
    with sidecar:
        sidecar.buy(SKU, "ann")
        assert sidecar.get("/status")[0] == 401
        code, text = sidecar.get("/status", TOKEN)
        [item] = json.loads(text)["items"]
        assert (code, item["sku"], item["held"], item["waiting"]) == (200, SKU, 1, 1)


def test_who_asks_whether_it_is_ready_hears_which_store_is_not(sidecar: Sidecar, redis_server: Redis) -> None:
    with sidecar:
        assert json.loads(sidecar.get("/readyz")[1]) == {"ready": True, "stores": {"ledger": "ok", "database": "ok"}}
        redis_server.kill()
        code, text = sidecar.get("/readyz")
        assert (code, json.loads(text)["stores"]) == (503, {"ledger": "down", "database": "ok"})
        assert sidecar.get("/healthz")[0] == 200
