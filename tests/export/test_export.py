"""A sale's history: written by ``export`` from a real sale, checked by ``verify`` to the last byte."""

from __future__ import annotations

import argparse
import io
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import Line
from seckill_sidecar.adapters.ledger.redis_ledger import LedgerRules, RedisLedger
from seckill_sidecar.adapters.orders_db import connect_orders_db, transactions
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.errors import UsageError
from seckill_sidecar.model import Event, EventKind, Item, Order, Purchase, State
from seckill_sidecar.ops import export, verify
from seckill_sidecar.ports import OrdersDb, Parked, ParkedState
from seckill_sidecar.settings.schema import Timeouts, WriterSettings
from seckill_sidecar.wire.history import fields_of, seal

SKU = "sneaker"
CLOCK = SystemClock()
make_id = order_ids(CLOCK, random.Random(5))


def soon() -> Deadline:
    return Deadline.after(10, CLOCK)


@pytest.fixture
def ledger(redis_url: str) -> Iterator[RedisLedger]:
    with closing(RedisLedger(Line(redis_url, CLOCK, 5.0, 2.0, 64, 1000), Keys("shop"), LedgerRules(), CLOCK)) as ledger:
        ledger.load(Item(SKU, 30, per_buyer=5), soon())
        yield ledger


@pytest.fixture(params=["sqlite", "mariadb"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrdersDb]:
    url = f"sqlite:///{tmp_path / 'x.db'}" if request.param == "sqlite" else request.getfixturevalue("mariadb_url")
    with closing(connect_orders_db(url, WriterSettings(), Timeouts())) as orders:
        orders.migrate()
        yield orders


def sell(ledger: RedisLedger, orders: int = 12) -> list[Event]:
    """A sale in which every kind of event happens; its events as the outbox has them."""
    ids = [make_id(SKU) for _ in range(orders)]
    for number, order_id in enumerate(ids):
        ledger.reserve(Purchase(order_id, SKU, f"买家 {number}", 1 + number % 2), soon())
        if number % 3 == 2:
            ledger.settle(ids[number - 1], (State.PAID, State.CANCELLED)[number % 2], "by 'hand' €", soon())
    for order_id in ids:
        ledger.settle(order_id, State.PAID, "card", soon())
    return [Event.decode(entry.body) for entry in ledger.outbox_from(SKU)]


def write(db: OrdersDb, events: list[Event]) -> None:
    """What the writer does with them."""
    for event in events:
        if event.kind is EventKind.LATE_PAYMENT:
            db.park(Parked(event.message_id, "late", event.encode(), 1, state=ParkedState.LATE_PAYMENT))
    db.write([event for event in reversed(events) if event.kind is not EventKind.LATE_PAYMENT])


def export_to(path: Path, db: OrdersDb, epoch: int | None = None) -> tuple[int, list[str]]:
    told: list[str] = []
    arguments = argparse.Namespace(sku=SKU, epoch=epoch, output=str(path))
    return export.run(arguments, db, CLOCK, told.append), told


def test_a_whole_sale_is_exported_and_holds(
    db: OrdersDb, ledger: RedisLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PAGE", 3)
    events = sell(ledger)
    assert {event.kind for event in events} == set(EventKind) - {EventKind.EXPIRED}
    write(db, events)
    assert [event.digest for event in db.events(SKU, 1)] == [event.digest for event in events]
    assert export_to(tmp_path / "sale", db) == (0, [])
    verified = verify.verify_file(str(tmp_path / "sale"))
    assert (verified.count, verified.digest) == (len(events), events[-1].digest)
    assert "same" in verify.compare(verified, ledger, CLOCK)


def test_events_that_are_not_there_yet_are_named(db: OrdersDb, ledger: RedisLedger, tmp_path: Path) -> None:
    events = sell(ledger)
    write(db, [event for event in events if event.chain not in (1, 4, 5)])
    code, told = export_to(tmp_path / "sale", db)
    assert (code, told[:2]) == (1, ["event 1 is missing", "events 4 to 5 are missing"])
    with pytest.raises(verify.Broken, match=r"line 2: .* expected is 1"):
        verify.verify_file(str(tmp_path / "sale"))


def test_an_event_that_was_parked_and_written_later_is_there_once(db: OrdersDb, ledger: RedisLedger) -> None:
    events = sell(ledger)
    db.park(Parked("x", "why", events[0].encode(), 1))
    write(db, events)
    assert [event.chain for event in db.events(SKU, 1)] == list(range(1, len(events) + 1))


def test_a_ledger_that_went_on_or_is_another_one_is_said(db: OrdersDb, ledger: RedisLedger, tmp_path: Path) -> None:
    write(db, sell(ledger))
    export_to(tmp_path / "sale", db)
    verified = verify.verify_file(str(tmp_path / "sale"))
    ledger.reserve(Purchase(make_id(SKU), SKU, "zoe", 1), soon())
    with pytest.raises(UsageError, match="export it again"):
        verify.compare(verified, ledger, CLOCK)
    ledger.load(Item("other", 1), soon())
    with pytest.raises(UsageError, match="nothing of it"):
        verify.compare(verify.Verified("no-such", 1, 1, ""), ledger, CLOCK)
    with pytest.raises(verify.Broken, match="ledger ends at event"):
        verify.compare(verify.Verified(SKU, 1, verified.count + 1, "0" * 40), ledger, CLOCK)


def test_an_item_without_events_can_not_be_exported(db: OrdersDb, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no events"):
        export_to(tmp_path / "sale", db)


# -- files that were changed -------------------------------------------------------------------------


def played(*steps: tuple[EventKind, int, dict[str, object]]) -> list[Event]:
    """Linked events of orders by number: ``played((ACCEPTED, 1, {}), (PAID, 1, {}))``; the dict changes fields."""
    events: list[Event] = []
    states: dict[int, tuple[int, State]] = {}
    for kind, number, changes in steps:
        no, before = states.get(number, (0, State.HELD))
        state = before if kind is EventKind.LATE_PAYMENT else kind.state
        states[number] = (no + 1, state)
        order_id = f"{SKU}~{number:026d}"
        order = Order(order_id, SKU, 1, int(str(changes.get("seq", number))), "ann", 1, state, 100, 900)
        prev = events[-1].digest if events else "0" * 40
        total = int(str(changes.get("total", 9)))
        step = int(str(changes.get("no", no + 1)))
        events.append(Event(kind, step, order, total, 100 + len(events), chain=len(events) + 1, prev=prev))
    return events


A, P, C, L = EventKind.ACCEPTED, EventKind.PAID, EventKind.CANCELLED, EventKind.LATE_PAYMENT
SOUND = played((A, 1, {}), (A, 2, {}), (P, 1, {}), (C, 2, {}), (L, 2, {}), (A, 3, {}))


def file_of(events: list[Event]) -> bytes:
    lines = export.Export(SKU, 1, len(events), CLOCK).lines(iter(events))
    return "".join(line + "\n" for line in lines).encode()


WHOLE = file_of(SOUND)


def check(content: bytes) -> verify.Verified:
    return verify.verify(io.BytesIO(content))


def test_the_sound_file_holds() -> None:
    assert check(WHOLE).count == len(SOUND)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_found_in_its_line(position: int, change: int) -> None:
    changed = bytearray(WHOLE)
    changed[position] ^= change
    with pytest.raises(verify.Broken) as broken:
        check(bytes(changed))
    assert broken.value.line == WHOLE[:position].count(b"\n") + 1


@given(st.integers(0, len(SOUND) + 1))
def test_a_removed_line_is_found(line: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    del lines[line]
    with pytest.raises(verify.Broken):
        check(b"".join(lines))


@given(st.integers(0, len(SOUND) + 1))
def test_a_doubled_line_is_found(line: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    with pytest.raises(verify.Broken):
        check(b"".join([*lines[: line + 1], *lines[line:]]))


@given(st.lists(st.integers(0, len(SOUND) + 1), min_size=2, max_size=2, unique=True))
def test_swapped_lines_are_found(swapped: list[int]) -> None:
    one, other = swapped
    lines = WHOLE.splitlines(keepends=True)
    lines[one], lines[other] = lines[other], lines[one]
    with pytest.raises(verify.Broken):
        check(b"".join(lines))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_breaks_off_is_found(length: int) -> None:
    with pytest.raises(verify.Broken):
        check(WHOLE[:length])


@given(st.binary(max_size=200))
def test_what_is_no_export_is_refused(content: bytes) -> None:
    with pytest.raises(verify.Broken):
        check(content)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(A, 1, {}), (A, 2, {"seq": 1})], "line 3: .*is not above 1"),
        ([(A, 1, {}), (P, 1, {}), (C, 1, {})], "line 4: .*cancelled can't follow paid"),
        ([(A, 1, {}), (L, 1, {})], "line 3: .*late_payment can't follow held"),
        ([(P, 1, {})], "line 2: .*paid can't follow None"),
        ([(A, 1, {}), (P, 1, {"no": 3})], "line 3: .*step 3 of its order, expected is 2"),
        ([(A, 1, {}), (P, 1, {"seq": 7})], "line 3: .*another number"),
        ([(A, 1, {"total": 1}), (A, 2, {"total": 1})], "line 3: .*2 units are sold of 1"),
        ([(A, 1, {"total": 5}), (A, 2, {"total": 4})], "line 3: .*falls from 5 to 4"),
    ],
)
def test_a_history_that_can_not_be_true_is_found_though_its_links_are_sound(
    steps: list[tuple[EventKind, int, dict[str, object]]], said: str
) -> None:
    with pytest.raises(verify.Broken, match=said) as broken:
        check(file_of(played(*steps)))
    assert broken.value.order_id.startswith(SKU)


def test_hashes_that_were_made_anew_do_not_hide_a_forged_field() -> None:
    header, *_ = WHOLE.decode().splitlines()
    fields = {**fields_of(SOUND[0]), "buyer": "bob"}
    forged, _ = seal(fields, json.loads(header)["sha256"])
    with pytest.raises(verify.Broken, match="its digest is not what its fields give"):
        check(f"{header}\n{forged}\n".encode())
