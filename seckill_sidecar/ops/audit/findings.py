"""What the places of an item's orders mean."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from seckill_sidecar.adapters.places import Place, Places, Traces
from seckill_sidecar.ops.audit.reading import Reading
from seckill_sidecar.ops.audit.report import Example, ItemReport, Report

MOST_EXAMPLES = 20


def report_on(readings: Collection[Reading], places: Places, arriving: bool) -> Report:
    """The report. ``arriving``: orders still came in when the audit stopped looking, so the rest is on its way."""
    examples = {
        "missing": islice(_missing(readings, places, arriving), MOST_EXAMPLES),
        "on_its_way": _examples(places, Place.ON_ITS_WAY) if arriving else [],
        "parked": _examples(places, Place.PARKED),
        "duplicated": islice(_duplicated(readings, places), MOST_EXAMPLES),
        "unknown": _examples(places, Place.UNKNOWN),
        "differing": [] if arriving else _examples(places, Place.DIFFERING),
    }
    return Report(
        items=[_report_on_item(reading, places, arriving) for reading in readings],
        examples={kind: list(found) for kind, found in examples.items()},
    )


def _report_on_item(reading: Reading, places: Places, arriving: bool) -> ItemReport:
    counts = dict.fromkeys(Place, 0) | places.counts(reading.sku)
    untraced = places.numbers_missing(reading.sku, reading.epoch, reading.carried, reading.seq)
    lost = 0 if arriving else counts[Place.ON_ITS_WAY]
    return ItemReport(
        item=reading.sku,
        epoch=reading.epoch,
        books=reading.books,
        faults=_faults(reading),
        accepted=sum(counts.values()) - counts[Place.UNKNOWN] + untraced,
        in_outbox=counts[Place.IN_OUTBOX],
        on_its_way=counts[Place.ON_ITS_WAY] - lost,
        in_database=counts[Place.IN_DATABASE] + counts[Place.DIFFERING],
        parked=counts[Place.PARKED],
        missing=lost + untraced,
        duplicated=sum(more for more, _ in places.doubles(reading.sku)),
        oversold=reading.books.oversold,
        unknown=counts[Place.UNKNOWN],
        differing=0 if arriving else counts[Place.DIFFERING],
    )


def _faults(reading: Reading) -> tuple[str, ...]:
    found = [f"the ledger can't be read: {reading.damage}"] if reading.damage else []
    found += [f"outbox entry {entry_id} holds no event" for entry_id in reading.unreadable]
    return (*found, *reading.books.faults)


def _missing(readings: Collection[Reading], places: Places, arriving: bool) -> Iterator[Example]:
    if not arriving:
        yield from _examples(places, Place.ON_ITS_WAY)
    for reading in readings:
        for first, last in places.gaps(reading.sku, reading.epoch, reading.carried, reading.seq, MOST_EXAMPLES):
            numbers = f"number {first}" if first == last else f"numbers {first} to {last}"
            yield Example(f"{reading.sku}, epoch {reading.epoch}, {numbers}", "no trace in any store")


def _duplicated(readings: Collection[Reading], places: Places) -> Iterator[Example]:
    for reading in readings:
        for more, order_id in places.doubles(reading.sku):
            yield Example(order_id, f"{more} more with the same id or number")


def _examples(places: Places, place: Place) -> list[Example]:
    return [Example(traces.order_id, _in_words(traces)) for traces in places.examples(place, MOST_EXAMPLES)]


def _in_words(traces: Traces) -> str:
    states = (("ledger", traces.ledger), ("outbox", traces.outbox), ("database", traces.database))
    words = [f"{store} {state}" for store, state in states if state is not None]
    return ", ".join([*words, "parked"] if traces.parked else words)
