"""What is counted is told to Prometheus: added up over processes, and never less than before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from metrics_site import TOKEN, Sidecar, read
from stack import eventually

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import UsageError
from seckill_sidecar.model import Item
from seckill_sidecar.observers.metrics import Slots

SKU = "sneaker"
ACCEPTED = ("seckill_decisions_total", (SKU, "accepted"))

COUNT = """
import os, signal, sys
from pathlib import Path
from seckill_sidecar.observers.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), "writer")
for _ in range(int(sys.argv[2])):
    metrics.violated("sneaker")
metrics.breaker("database", "closed", "open")
print(metrics.text().decode(), flush=True)
if sys.argv[3] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def sidecar(redis_url: str) -> Iterator[Sidecar]:
    with Sidecar(redis_url) as sidecar:
        sidecar.site.ledger.load(Item(SKU, 40), Deadline.after(5, SystemClock()))
        yield sidecar
        sidecar.site.ledger.close()
        sidecar.site.orders.close()


def test_purchases_of_all_workers_are_added_up(sidecar: Sidecar) -> None:
    assert [sidecar.buy(SKU, f"buyer-{number}") for number in range(20)] == [201] * 20
    samples = sidecar.samples()
    assert samples[ACCEPTED] == 20
    assert samples[("seckill_decision_seconds_count", ("accepted",))] == 20
    assert samples[("seckill_item_units", (SKU, "held"))] == 20
    assert samples[("seckill_item_status", (SKU, "open"))] == 1
    assert samples[("seckill_outbox_events", (SKU,))] == 20
    assert samples[("seckill_store_up", ("ledger",))] == samples[("seckill_store_up", ("database",))] == 1


def test_counters_outlive_the_workers_that_counted(sidecar: Sidecar) -> None:
    for number in range(10):
        sidecar.buy(SKU, f"buyer-{number}")
    before = sidecar.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(sidecar.workers()) - set(before)) == 2, within=30)
    eventually(sidecar.answers)
    assert sidecar.buy(SKU, "buyer-10") == 201
    assert sidecar.samples()[ACCEPTED] == 11
    # No file more than there were processes at once.
    assert {file.name for file in sidecar.metrics.glob("counter_*")} <= {f"counter_sidecar-{no}.db" for no in (0, 1)}


def test_what_clients_ask_for_makes_no_figures_of_its_own(sidecar: Sidecar) -> None:
    for number in range(3):
        sidecar.buy(f"made-up-{number}", "ann")
    samples = sidecar.samples()
    assert samples[("seckill_decisions_total", ("other", "unknown_item"))] == 3
    assert not any("made-up" in label for _, labels in samples for label in labels)


def test_only_who_has_the_token_is_told(sidecar: Sidecar) -> None:
    assert sidecar.get("/metrics")[0] == 401
    assert sidecar.get("/metrics", "another token of theirs")[0] == 403
    assert sidecar.get("/metrics", TOKEN)[0] == 200


def count(folder: Path, times: int, end: str = "") -> str:
    """A process that counts so many violations; what it told then."""
    command = [sys.executable, "-c", COUNT, str(folder), str(times), end]
    return subprocess.run(command, capture_output=True, text=True, check=not end, timeout=60).stdout


def test_a_killed_process_leaves_what_it_counted_and_not_how_it_stood(tmp_path: Path) -> None:
    told = read(count(tmp_path, 3, "die"))
    assert told[("seckill_violations_total", (SKU,))] == 3
    assert told[("seckill_breaker_state", ("database",))] == 2
    Slots(tmp_path).sweep()
    assert list(tmp_path.glob("gauge_*.db")) == []
    assert read(count(tmp_path, 2))[("seckill_violations_total", (SKU,))] == 5


def test_a_process_that_was_killed_as_it_began_keeps_nobody_from_being_told(tmp_path: Path) -> None:
    count(tmp_path, 3)
    (tmp_path / "counter_writer-1.db").touch()
    (tmp_path / "gauge_livemax_writer-1.db").touch()
    assert read(count(tmp_path, 2))[("seckill_violations_total", (SKU,))] == 5


def test_processes_at_once_have_places_of_their_own(tmp_path: Path) -> None:
    first, second = Slots(tmp_path), Slots(tmp_path)
    assert [first.take("writer"), second.take("writer"), Slots(tmp_path).take("relay")] == [
        "writer-0",
        "writer-1",
        "relay-0",
    ]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"metrics\.folder .*file.* can't be used: "):
        Slots(tmp_path / "file" / "within").take("writer")
