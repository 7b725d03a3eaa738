"""What is counted is told to Prometheus: added up over processes, and never less than before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from metrics_site import TOKEN, Samples, Sidecar, read
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from stack import eventually

from seckill_sidecar.adapters.ledger import Keys
from seckill_sidecar.adapters.markers import Markers
from seckill_sidecar.cli import main
from seckill_sidecar.clock import Deadline, ManualClock, SystemClock
from seckill_sidecar.errors import CannotCreate
from seckill_sidecar.gate.pipeline import STAGES
from seckill_sidecar.model import Item
from seckill_sidecar.observers.metrics import Audits, Marked, Slots
from seckill_sidecar.workers.ticker import Ticker

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


LAGS = """
import sys
from pathlib import Path
from seckill_sidecar.gate.hand_off import HandedOff
from seckill_sidecar.model import Event, EventKind, Order, State
from seckill_sidecar.observers.metrics import Metrics
from seckill_sidecar.workers.writer import Committed
metrics = Metrics(Path(sys.argv[1]), "relay")
order = Order("sneaker~1", "sneaker", 1, 1, "ann", 1, State.HELD, 1_000_000, 2_000_000)
accepted = Event(EventKind.ACCEPTED, 1, order, 10, 1_000_000)
expired = Event(EventKind.EXPIRED, 2, order, 10, 2_000_000)
for kind in EventKind:
    metrics.handed_off(HandedOff("relay", kind, order, 1002.0, 1003.0))
metrics.committed(Committed([accepted, expired], 1002.0, 1003.0))
metrics.present.turned("relay", 1234.0)
print(metrics.text().decode())
"""

TICKS = """
import sys
from pathlib import Path
from seckill_sidecar.observers.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]), "sidecar")
for late in [3.0, 0.5] + [0.01] * 14:
    metrics.present.ticked(late, 7)
print(metrics.text().decode())
"""


@pytest.fixture
def sidecar(redis_url: str) -> Iterator[Sidecar]:
    with Sidecar(redis_url) as sidecar:
        sidecar.site.ledger.load(Item(SKU, 40), soon())
        yield sidecar
        sidecar.site.ledger.close()
        sidecar.site.orders.close()


def soon() -> Deadline:
    return Deadline.after(5, SystemClock())


def test_purchases_of_all_workers_are_added_up(sidecar: Sidecar) -> None:
    assert [sidecar.buy(SKU, f"buyer-{number}") for number in range(20)] == [201] * 20
    samples = sidecar.samples()
    assert samples[ACCEPTED] == 20
    assert samples[("seckill_decision_seconds_count", ("accepted",))] == 20
    assert samples[("seckill_item_units", (SKU, "held"))] == 20
    assert samples[("seckill_item_status", (SKU, "open"))] == 1
    assert samples[("seckill_outbox_events", (SKU,))] == 20
    assert samples[("seckill_store_up", ("ledger",))] == samples[("seckill_store_up", ("database",))] == 1


def test_stages_are_told_of_orders_and_asking_the_ledger_of_whoever_got_that_far(sidecar: Sidecar) -> None:
    for number in range(3):
        assert sidecar.buy(SKU, f"buyer-{number}") == 201
    for _ in range(2):
        assert sidecar.buy(SKU, "buyer-0") == 409  # has one already: the ledger says so
    assert sidecar.buy(SKU, "") == 401
    samples = sidecar.samples()
    counts = {stage: samples[("seckill_stage_seconds_count", (stage,))] for stage in (*STAGES, "reply")}
    assert counts == {**dict.fromkeys((*STAGES, "reply"), 3), "reserve": 5}
    assert samples[("seckill_stage_seconds_sum", ("reserve",))] > 0


def test_each_live_worker_tells_how_it_is_and_a_dead_one_no_longer(sidecar: Sidecar) -> None:
    def told() -> bool:
        return {("seckill_hub_lag_seconds", ()), ("seckill_in_flight", ())} <= sidecar.samples().keys()

    eventually(told, within=20, what="the first ticks")
    assert sidecar.samples()[("seckill_in_flight", ())] == 0
    assert sidecar.samples()[("seckill_hub_lag_seconds", ())] >= 0
    before = sidecar.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(sidecar.workers()) - set(before)) == 2, within=30)
    eventually(sidecar.answers)
    eventually(told, within=20, what="the first ticks of the next")
    assert len(list(sidecar.metrics.glob("gauge_livesum_*.db"))) <= 2


def test_the_last_audit_of_all_items_is_told(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TOKEN", "SECRET"):
        monkeypatch.setenv(name, sidecar.environment()[name])
    assert not any(name.startswith("seckill_audit") for name, _ in sidecar.samples())
    assert main(["audit", "-c", str(sidecar.config), "--patience", "100ms"]) == 0
    samples = sidecar.samples()
    assert (samples[("seckill_audit_drift", ())], samples[("seckill_audit_balanced", ())]) == (0, 1)
    assert samples[("seckill_audit_time_seconds", ())] == pytest.approx(SystemClock().wall(), abs=120)

    sidecar.buy(SKU, "ann")
    sidecar.site.ledger._line.ask("DEL", Keys("seckill").of(SKU, "outbox"), deadline=soon())
    assert main(["audit", SKU, "-c", str(sidecar.config), "--patience", "100ms"]) == 1
    assert sidecar.samples()[("seckill_audit_drift", ())] == 0, "an audit of some items says nothing of all"
    assert main(["audit", "-c", str(sidecar.config), "--patience", "100ms"]) == 1
    samples = sidecar.samples()
    assert (samples[("seckill_audit_drift", ())], samples[("seckill_audit_balanced", ())]) == (1, 0)


def test_an_audit_that_nobody_counts_leaves_nothing(tmp_path: Path) -> None:
    Audits(tmp_path / "nowhere").note(0, True, 1.0)
    assert list(tmp_path.iterdir()) == []
    for text in ("{", "{}", "[]", '{"drift": null, "balanced": true, "at": 1}'):
        (tmp_path / "audit.json").write_text(text)
        assert list(Audits(tmp_path).collect()) == []
    (tmp_path / "audit.json").unlink()
    (tmp_path / "audit.json").mkdir()
    Audits(tmp_path).note(0, True, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["audit.json"]


def test_what_nginx_answers_by_itself_is_told_of_so_many_items(tmp_path: Path) -> None:
    markers = Markers(tmp_path / "shield", ManualClock())
    assert told_by(Marked(markers)) == {}
    assert markers.take()
    markers.mark("kettle", frozenset(["sold_out"]))
    markers.mark("teapot", frozenset(["not_open", "opens_in_60"]))
    assert told_by(Marked(markers)) == {
        ("seckill_shield_marked", ("kettle", "sold_out")): 1,
        ("seckill_shield_marked", ("teapot", "not_open")): 1,
    }
    for number in range(300):
        markers.mark(f"item-{number:03}", frozenset(["sold_out"]))
    assert len(told_by(Marked(markers))) == 200


def told_by(collector: Collector) -> Samples:
    registry = CollectorRegistry()
    registry.register(collector)
    return read(generate_latest(registry).decode())


def test_how_long_orders_waited_is_told_and_events_of_another_kind_are_not(tmp_path: Path) -> None:
    samples = read(run(tmp_path, LAGS))
    for name in ("seckill_hand_off_lag_seconds", "seckill_write_lag_seconds"):
        assert samples[(f"{name}_count", ())] == 1
        assert samples[(f"{name}_sum", ())] == 3
    assert samples[("seckill_loop_time_seconds", ("relay",))] == 1234


def test_a_tick_tells_how_late_it_came() -> None:
    clock, told = Late(), list[float]()
    ticker = Ticker(told.append, clock)
    for late in (0.0, 0.25, 0.0):
        clock.late = late
        ticker.tick()
    assert told == [0.0, 0.25, 0.0]


class Late(ManualClock):
    """Whoever sleeps wakes so many seconds late."""

    late = 0.0

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + self.late)


def test_the_worst_of_the_last_ticks_is_told(tmp_path: Path) -> None:
    samples = read(run(tmp_path, TICKS))
    assert samples[("seckill_hub_lag_seconds", ())] == 0.5
    assert samples[("seckill_in_flight", ())] == 7


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
    return run(folder, COUNT, str(times), end, check=not end)


def run(folder: Path, program: str, *words: str, check: bool = True) -> str:
    """What a program prints that keeps its figures in this folder: prometheus_client has one folder a process."""
    command = [sys.executable, "-c", program, str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=60).stdout


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
    with pytest.raises(CannotCreate, match=r"metrics\.folder .*file.* can't be used: "):
        Slots(tmp_path / "file" / "within").take("writer")
