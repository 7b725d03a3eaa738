"""Markers are there when an item is gone, and never for longer than that was known to be true."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from shield_words import CLOSED, NOT_OPEN, SOLD_OUT, Host, decided, said_by_ledger
from stack import eventually

from seckill_sidecar.adapters.markers import FOLDERS, Markers
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Standing
from seckill_sidecar.workers.shield import PATIENCE, ROUND, TRUE_FOR, Shield, marks_of, together_of

BACK = None


def started(host: Host) -> Shield:
    """A process that keeps the markers, without its thread."""
    process = host.process(spares=lambda sku: sku == "spared")
    process._pid = os.getpid()
    process.round()
    return process


def test_what_is_gone_is_marked_with_its_reason_and_what_is_not_is_not(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.put("teapot", CLOSED)
    host.ledger.put("cup", NOT_OPEN, opens_in=90)
    host.ledger.put("bowl")
    host.process().round()
    assert host.marked() == {"kettle": {"sold_out"}, "teapot": {"closed"}, "cup": {"not_open", "opens_in_60"}}


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, SOLD_OUT, CLOSED, NOT_OPEN])
def test_a_verdict_makes_any_process_look_and_mark(host: Host, verdict: Verdict) -> None:
    keeper, other = host.process(), host.process()
    keeper.round()
    other.round()
    host.ledger.put("kettle", SOLD_OUT)
    other.tell(decided(verdict, "kettle"))
    eventually(lambda: host.marked() == {"kettle": {"sold_out"}})
    other.stop()
    keeper.stop()


def test_a_verdict_that_says_nothing_of_the_stock_makes_nobody_look(host: Host) -> None:
    process = host.process()
    process.round()
    for verdict in (Verdict.LIMIT_REACHED, Verdict.RATE_LIMITED, Verdict.UNKNOWN_ITEM, Verdict.UNAVAILABLE):
        process.tell(decided(verdict, "kettle"))
    process.look()
    assert host.ledger.looked_at == []


def test_what_the_ledger_has_just_said_is_marked_before_its_buyer_is_told(host: Host) -> None:
    process = started(host)
    process.tell(said_by_ledger(SOLD_OUT, "kettle"))
    assert host.marked() == {"kettle": {"sold_out"}}
    assert host.ledger.looked_at == []


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(said_by_ledger(SOLD_OUT, "kettle", available=1), id="fewer are left than were wanted"),
        pytest.param(said_by_ledger(SOLD_OUT, "kettle", seconds=PATIENCE), id="it may have been said long ago"),
        pytest.param(said_by_ledger(Verdict.ACCEPTED, "kettle"), id="one was left, and perhaps more"),
        pytest.param(said_by_ledger(CLOSED, "kettle"), id="it is gone for another reason"),
        pytest.param(decided(SOLD_OUT, "kettle"), id="the gate only remembers it"),
        pytest.param(said_by_ledger(SOLD_OUT, "spared"), id="some of its buyers are the storefront's"),
    ],
)
def test_anything_else_that_is_said_needs_a_look(host: Host, fact: Decided) -> None:
    process = started(host)
    process.tell(fact)
    assert host.marked() == {}
    process.look()
    assert host.ledger.looked_at == [fact.item]


def test_an_item_that_sells_again_when_it_is_marked_so_is_unmarked_in_the_next_round(host: Host) -> None:
    host.ledger.put("kettle", BACK)
    process = started(host)
    process.tell(said_by_ledger(SOLD_OUT, "kettle"))
    process.round()
    assert host.marked() == {}


def test_one_that_has_stopped_does_not_mark_what_the_ledger_says(host: Host) -> None:
    process = started(host)
    process.stop()
    process.tell(said_by_ledger(SOLD_OUT, "kettle"))
    assert host.marked() == {}


@pytest.mark.parametrize("keeps", [True, False])
def test_nothing_is_marked_once_nobody_was_seen_to_keep_the_markers(host: Host, keeps: bool) -> None:
    keeper, other = started(host), started(host)
    host.clock.advance(ROUND + PATIENCE + 0.1)  # its rounds don't come back: a name server that does not answer, say
    process = keeper if keeps else other
    process.tell(said_by_ledger(SOLD_OUT, "kettle"))
    host.ledger.put("kettle", SOLD_OUT)
    process.look()
    assert host.marked() == {}
    assert host.ledger.looked_at == []


def test_a_fork_while_a_thread_marks_harms_nothing(host: Host) -> None:
    process = started(host)
    with process._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)
            process._stopped = True
            process._mark("kettle", frozenset(["sold_out"]))
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_folder_that_takes_no_marker_leaves_a_doubt(host: Host) -> None:
    process = started(host)
    (host.folder / "sold_out").rmdir()
    process.tell(said_by_ledger(SOLD_OUT, "kettle"))
    assert list(process._doubts) == ["kettle"]


def test_units_that_come_back_unmark_in_the_next_round(host: Host) -> None:
    keeper = host.process()
    host.ledger.put("kettle", SOLD_OUT)
    keeper.round()
    host.ledger.put("kettle", BACK)
    keeper.round()
    assert host.marked() == {}


def test_a_marker_from_a_look_long_ago_goes_with_the_next_round(host: Host) -> None:
    """A process looked, was held up, and marks what has come back meanwhile."""
    keeper = host.process()
    host.ledger.put("kettle")
    keeper.round()
    Markers(host.folder, host.clock).mark("kettle", frozenset(["sold_out"]))
    keeper.round()
    assert host.marked() == {}


def test_a_marker_of_an_item_that_nobody_knows_goes(host: Host) -> None:
    keeper = host.process()
    keeper.round()
    Markers(host.folder, host.clock).mark("saucer", frozenset(["closed"]))
    keeper.round()
    assert host.marked() == {}


def test_what_the_ledger_says_too_late_marks_nothing(host: Host) -> None:
    process = host.process()
    process.round()
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.slow = 0.5
    process._doubts["kettle"] = None
    with pytest.raises(StoreError, match="took longer"):
        process.look()
    assert host.marked() == {}


# -- when nobody can tell --------------------------------------------------------------------------


def test_markers_go_before_they_are_a_second_old_if_the_ledger_cannot_be_read(host: Host) -> None:
    keeper = host.process()
    host.ledger.put("kettle", SOLD_OUT)
    keeper.round()
    confirmed = host.clock.now
    host.ledger.down = True
    while host.marked():
        host.clock.advance(ROUND)
        assert host.clock.now - confirmed <= TRUE_FOR
        with pytest.raises(StoreError):
            keeper.round()


def test_a_reading_that_hangs_does_not_let_them_grow_old(host: Host) -> None:
    keeper = host.process()
    host.ledger.put("kettle", SOLD_OUT)
    keeper.round()
    confirmed = host.clock.now
    host.ledger.down, host.ledger.slow = True, 0.4
    host.clock.advance(ROUND)
    with pytest.raises(StoreError):
        keeper.round()
    assert host.clock.now - confirmed <= TRUE_FOR
    assert host.marked() == {}


def test_they_come_back_with_the_ledger(host: Host) -> None:
    keeper = host.process()
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.down = True
    for _ in range(6):
        host.clock.advance(ROUND)
        with pytest.raises(StoreError):
            keeper.round()
    host.ledger.down = False
    keeper.round()
    assert host.marked() == {"kettle": {"sold_out"}}


# -- several processes -----------------------------------------------------------------------------


def test_one_process_looks_at_everything_and_the_others_at_nothing(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    processes = [host.process() for _ in range(3)]
    for process in processes:
        process.round()
    assert host.ledger.looked_at == ["kettle"]


def test_the_next_one_keeps_them_when_the_keeper_ends(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    first, second = host.process(), host.process()
    first._pid = os.getpid()
    first.round()
    second.round()
    first.stop()
    assert host.marked() == {}
    second.round()
    assert host.marked() == {"kettle": {"sold_out"}}


def test_the_last_one_to_end_leaves_no_marker(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    first, second = host.process(), host.process()
    for process in (first, second):
        process._pid = os.getpid()
        process.round()
    second._doubts["kettle"] = None
    first.stop()
    second.look()
    assert host.marked() == {"kettle": {"sold_out"}}
    second.stop()
    assert host.marked() == {}


def test_one_that_has_stopped_marks_nothing_more(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    process = host.process()
    process._pid = os.getpid()
    process.round()
    process.stop()
    process._doubts["kettle"] = None
    process.look()
    assert host.marked() == {}


def test_markers_of_the_dead_are_cleared_at_the_start(host: Host) -> None:
    dead = Markers(host.folder, host.clock)
    assert dead.take()
    dead.mark("kettle", frozenset(["sold_out"]))
    dead.release()  # as the kernel does
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.down = True
    with pytest.raises(StoreError):
        host.process().round()
    assert host.marked() == {}


def test_when_the_keeper_stands_still_another_one_clears(host: Host) -> None:
    host.ledger.put("kettle", SOLD_OUT)
    keeper, other = host.process(), host.process()
    keeper.round()
    host.clock.advance(TRUE_FOR)
    other.round()
    assert host.marked() == {"kettle": {"sold_out"}}
    host.clock.advance(0.1)
    other.round()
    assert host.marked() == {}
    keeper.round()
    assert host.marked() == {"kettle": {"sold_out"}}


def test_a_folder_that_cannot_be_had_is_said_once_and_harms_nothing(
    tmp_path: Path, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    shield = Shield(Markers(tmp_path / "file" / "shield", SystemClock()), lambda: host.ledger, SystemClock())
    shield.start()
    eventually(lambda: "the shield is off" in caplog.text)
    shield.tell(decided(SOLD_OUT, "kettle"))
    shield.stop()
    assert caplog.text.count("the shield is off") == 1


def test_nginx_can_search_the_folders_whatever_umask_the_server_has(tmp_path: Path) -> None:
    before = os.umask(0o117)
    try:
        assert Markers(tmp_path / "run" / "shield", SystemClock()).take()
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "run").rglob("*") if path.is_dir()]
    assert len(made) == 1 + len(FOLDERS)
    assert {path.stat().st_mode & 0o777 for path in [tmp_path / "run", *made]} == {0o755}


# -- all items together ----------------------------------------------------------------------------


def test_a_request_whose_item_is_unseen_is_answered_once_every_item_is_gone(host: Host) -> None:
    keeper = host.process(whole=True)
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.put("teapot")
    keeper.round()
    assert "_all" not in host.marked()
    host.ledger.put("teapot", CLOSED)
    keeper.round()
    assert host.marked()["_all"] == {"sold_out"}
    host.ledger.put("cup")  # a new item
    keeper.round()
    assert "_all" not in host.marked()


@pytest.mark.parametrize(
    ("stands", "told"),
    [
        ([], set()),
        ([BACK, SOLD_OUT], set()),
        ([SOLD_OUT, SOLD_OUT], {"sold_out"}),
        ([CLOSED, CLOSED], {"closed"}),
        ([CLOSED, SOLD_OUT], {"sold_out"}),
        ([NOT_OPEN, NOT_OPEN], {"not_open", "opens_in_10"}),
        ([NOT_OPEN, SOLD_OUT], set()),
    ],
)
def test_what_is_told_of_all_is_true_of_each(stands: list[Verdict | None], told: set[str]) -> None:
    standings = [Standing(f"item-{i}", gone, opens_in=30.0 + 1000 * i) for i, gone in enumerate(stands)]
    assert together_of(standings) == told


@pytest.mark.parametrize(
    ("opens_in", "marks"),
    [
        (0.3, set()),
        (0.5, set()),
        (0.6, {"not_open"}),
        (9.9, {"not_open"}),
        (10.0, {"not_open", "opens_in_10"}),
        (599.0, {"not_open", "opens_in_60"}),
        (86400.0, {"not_open", "opens_in_3600"}),
    ],
)
def test_an_opening_is_never_waited_for_longer_than_it_takes(opens_in: float, marks: set[str]) -> None:
    assert marks_of(Standing("kettle", NOT_OPEN, opens_in)) == marks


# -- many items ------------------------------------------------------------------------------------


def test_of_very_many_items_each_has_its_turn_and_the_marked_ones_every_round(host: Host) -> None:
    for i in range(2000):
        host.ledger.put(f"item-{i:04}", SOLD_OUT if i < 10 else None)
    keeper = host.process()
    for _ in range(6):
        keeper.round()
    assert len(set(host.ledger.looked_at)) == 2000
    assert len(host.marked()) == 10
    host.ledger.put("item-0003")
    keeper.round()
    assert len(host.marked()) == 9


def test_there_is_a_bound_to_what_is_marked(host: Host) -> None:
    for i in range(4000):
        host.ledger.put(f"item-{i:04}", SOLD_OUT)
    keeper = host.process()
    for _ in range(20):
        keeper.round()
    assert 1000 <= len(host.marked()) <= 2500


# -- items of which some buyers are the storefront's ---------------------------------------------------


def test_an_item_that_is_spared_has_no_marker_however_it_stands(host: Host) -> None:
    spared = {"kettle"}
    process = host.process(whole=True, spares=spared.__contains__)
    host.ledger.put("kettle", SOLD_OUT)
    host.ledger.put("teapot", SOLD_OUT)
    process.round()
    assert host.marked() == {"teapot": {"sold_out"}}
    spared.clear()
    process.round()
    assert host.marked().keys() == {"kettle", "teapot", "_all"}
    spared.add("kettle")
    process.round()
    assert host.marked() == {"teapot": {"sold_out"}}
