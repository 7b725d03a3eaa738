"""The records, and the message that carries an order's step."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seckill_sidecar.errors import BadMessage
from seckill_sidecar.model import (
    ORDER_ID,
    SKU,
    Event,
    EventKind,
    ItemView,
    Order,
    Purchase,
    State,
    restated,
)

ORDER = Order(
    id="sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM",
    item="sneaker",
    epoch=1,
    seq=2,
    buyer="ann",
    quantity=3,
    state=State.HELD,
    accepted_at_ms=1_750_000_000_000,
    due_at_ms=1_750_000_900_000,
)
EVENT = Event(EventKind.ACCEPTED, no=1, order=ORDER, total=100, at_ms=1_750_000_000_000)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
counts = st.integers(1, 2**53 - 1)
moments = st.integers(0, 2**53 - 1)


@st.composite
def events(draw: st.DrawFn) -> Event:
    sku = draw(st.from_regex(SKU, fullmatch=True))
    kind = draw(st.sampled_from(EventKind))
    ulid = draw(st.from_regex(r"[0-9A-HJKMNP-TV-Z]{26}", fullmatch=True))
    order = Order(
        id=f"{sku}~{ulid}",
        item=sku,
        epoch=draw(counts),
        seq=draw(counts),
        buyer=draw(texts),
        quantity=draw(counts),
        state=kind.state,
        accepted_at_ms=draw(moments),
        due_at_ms=draw(moments),
    )
    return Event(
        kind, draw(counts), order, draw(moments), draw(moments), draw(texts), draw(texts), draw(counts), draw(texts)
    )


def body(**changes: Any) -> bytes:
    """A good message with some of its fields changed; ``...`` takes one away."""
    fields = json.loads(EVENT.encode()) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


# -- messages ----------------------------------------------------------------------------------------


@given(events())
def test_an_event_comes_back_from_its_message_as_it_was(event: Event) -> None:
    assert Event.decode(event.encode()) == event


@given(events())
def test_a_message_is_flat_json_in_utf_8_with_its_version(event: Event) -> None:
    fields = json.loads(event.encode().decode("utf-8"))
    assert fields["v"] == 1
    assert not any(isinstance(value, dict | list) for value in fields.values())


def test_the_message_is_what_other_programs_were_told_that_it_is() -> None:
    assert json.loads(EVENT.encode()) == {
        "v": 1,
        "event": "accepted",
        "no": 1,
        "id": "sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM",
        "item": "sneaker",
        "epoch": 1,
        "seq": 2,
        "buyer": "ann",
        "quantity": 3,
        "accepted_at_ms": 1_750_000_000_000,
        "due_at_ms": 1_750_000_900_000,
        "total": 100,
        "at_ms": 1_750_000_000_000,
        "reason": "",
        "traceparent": "",
        "chain": 0,
        "prev": "",
    }


def test_what_a_later_program_adds_is_passed_over() -> None:
    assert Event.decode(body(colour="red")) == EVENT


def test_a_message_without_reason_and_traceparent_has_none() -> None:
    assert Event.decode(body(reason=..., traceparent=...)) == EVENT


REQUIRED = ("v", "event", "no", "id", "item", "epoch", "seq", "buyer", "quantity", "accepted_at_ms", "due_at_ms")
NUMBERS = ("no", "epoch", "seq", "quantity", "accepted_at_ms", "due_at_ms", "total", "at_ms")
TEXTS = ("id", "item", "buyer", "reason", "traceparent")


@pytest.mark.parametrize("name", [*REQUIRED, "total", "at_ms"])
def test_a_message_that_lacks_a_field_is_bad(name: str) -> None:
    with pytest.raises(BadMessage):
        Event.decode(body(**{name: ...}))


@pytest.mark.parametrize("value", [None, -1, 1.0, 1.5, "1", True, [], {}, 2**53, 10**400])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_no_whole_number_in_range_is_bad(name: str, value: Any) -> None:
    with pytest.raises(BadMessage, match=name):
        Event.decode(body(**{name: value}))


@pytest.mark.parametrize("name", ["no", "epoch", "seq", "quantity"])
def test_what_counts_from_one_is_not_nought(name: str) -> None:
    with pytest.raises(BadMessage, match=name):
        Event.decode(body(**{name: 0}))


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["ann"]])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_none_is_bad(name: str, value: Any) -> None:
    with pytest.raises(BadMessage, match=name):
        Event.decode(body(**{name: value}))


@pytest.mark.parametrize("name", ["buyer", "reason", "traceparent"])
def test_a_text_that_no_database_could_store_is_bad(name: str) -> None:
    with pytest.raises(BadMessage, match=name):
        Event.decode(body(**{name: "half a pair: \ud83d"}))


@pytest.mark.parametrize(
    "id_",
    ["", "sneaker", "boot~01JD8Z5V0N3Q6W9X2Y4T7R1KGM", "sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM\n", "sneaker~" + "I" * 26],
)
def test_an_id_that_is_none_of_its_item_is_bad(id_: str) -> None:
    with pytest.raises(BadMessage, match="no order id"):
        Event.decode(body(id=id_))


@pytest.mark.parametrize("event", ["", "ACCEPTED", "held", "sealed", None, 1, ["accepted"]])
def test_an_event_that_nobody_knows_is_bad(event: Any) -> None:
    with pytest.raises(BadMessage, match="unknown event"):
        Event.decode(body(event=event))


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5, True, 1.0])
def test_a_message_of_another_version_is_bad(version: Any) -> None:
    with pytest.raises(BadMessage, match="version"):
        Event.decode(body(v=version))


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe\x00", b"\x00" * 9, b"NaN", b"[" * 100_000, b"9" * 5000],
)
def test_what_is_no_json_object_is_bad(text: bytes) -> None:
    with pytest.raises(BadMessage):
        Event.decode(text)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(text: bytes) -> None:
    with pytest.raises(BadMessage):
        Event.decode(text)


@given(
    name=st.sampled_from([*REQUIRED, "total", "at_ms", "reason", "traceparent"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)
def test_a_message_is_read_as_it_stands_or_is_bad(name: str, value: Any) -> None:
    message = body(**{name: value})
    try:
        event = Event.decode(message)
    except BadMessage:
        return
    assert json.loads(event.encode())[name] == value


# -- records -----------------------------------------------------------------------------------------


def test_each_step_of_an_order_has_a_message_id_of_its_own() -> None:
    paid = replace(EVENT, kind=EventKind.PAID, no=2)
    assert [EVENT.message_id, paid.message_id] == [f"{ORDER.id}:1", f"{ORDER.id}:2"]


def test_an_event_leads_to_the_state_of_its_name() -> None:
    assert {kind: kind.state for kind in EventKind} == {
        EventKind.ACCEPTED: State.HELD,
        EventKind.PAID: State.PAID,
        EventKind.CANCELLED: State.CANCELLED,
        EventKind.EXPIRED: State.EXPIRED,
        EventKind.LATE_PAYMENT: State.EXPIRED,
    }


def test_a_restated_order_differs_in_nothing_else() -> None:
    assert restated(ORDER, State.PAID) == replace(ORDER, state=State.PAID)


@pytest.mark.parametrize(
    ("free", "held", "paid", "balanced"), [(5, 3, 2, True), (5, 3, 1, False), (-1, 9, 2, False), (10, 0, 0, True)]
)
def test_an_item_is_balanced_if_every_unit_is_somewhere(free: int, held: int, paid: int, balanced: bool) -> None:
    view = ItemView("sneaker", 10, free, held, paid, 0, 0, 1, 0, 1, 0, "open")
    assert view.balanced is balanced


def test_a_purchase_is_told_from_another_by_item_and_quantity() -> None:
    prints = {
        Purchase(ORDER.id, item, buyer, quantity).fingerprint
        for item in ("sneaker", "sneaker-1")
        for quantity in (1, 11)
        for buyer in ("ann", "ben")
    }
    assert len(prints) == 4


@pytest.mark.parametrize("sku", ["a", "A1._-", "x" * 64, "0"])
def test_a_sku_may_be(sku: str) -> None:
    assert SKU.fullmatch(sku)


@pytest.mark.parametrize("sku", ["", "-a", ".a", "_a", "x" * 65, "a b", "a/b", "a{b}", "ü", "a~b", "a\n", "٣"])
def test_a_sku_may_not_be(sku: str) -> None:
    assert not SKU.fullmatch(sku)
    assert not ORDER_ID.fullmatch(f"{sku}~01JD8Z5V0N3Q6W9X2Y4T7R1KGM")
