"""``status`` and ``top``: how everything stands, at a glance; ``top`` looks again every few seconds.

Exit code 1 if a store does not answer, an item is paused, being rebuilt or damaged, or something waits for an operator.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from seckill_sidecar.gate.standing import ItemStanding, Standing

CLEAR = "\x1b[H\x1b[2J"
"""What makes a terminal begin at its top."""
_HEAD = ("item", "status", "total", "free", "held", "paid", "waiting", "oldest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def troubles(standing: Standing) -> list[str]:
    """What an operator should see to, a sentence each."""
    found = [f"{store} does not answer: {why}" for store, why in standing.stores.items() if why]
    for item in standing.items:
        if item.view is None:
            found.append(f"{item.sku} can't be read ({item.damage or 'nothing is there'}): it refuses")
        elif item.view.status == "paused":
            found.append(f"{item.sku} is paused: see the log, then seckill-sidecar item open {item.sku}")
    if standing.unread_routes:
        found.append(standing.unread_routes)
    waiting = sum(count for state, count in standing.parked.items() if state.waits)
    if waiting:
        found.append(f"{waiting} messages are parked and wait for you: seckill-sidecar parked list")
    return found


def as_json(standing: Standing) -> dict[str, Any]:
    """For programs; also what the operator's address tells."""
    return {
        "ready": standing.ready,
        "stores": {store: why or "ok" for store, why in standing.stores.items()},
        "queue": standing.queue,
        "parked": {state.value: count for state, count in standing.parked.items()},
        "items": [_item(item) for item in standing.items],
        "routes": [one.facts() for one in standing.routes],
        "troubles": troubles(standing),
    }


def show(standing: Standing, in_json: bool) -> str:
    """What to print."""
    return json.dumps(as_json(standing)) if in_json else "\n".join(_lines(standing))


def _item(item: ItemStanding) -> dict[str, Any]:
    view = asdict(item.view) if item.view is not None else {"sku": item.sku, "damage": item.damage}
    return {**view, "waiting": item.waiting, "oldest_s": round(item.oldest_s, 3)}


def _lines(standing: Standing) -> Iterator[str]:
    yield "stores  " + ", ".join(f"{store} {'DOWN' if why else 'ok'}" for store, why in standing.stores.items())
    on_its_way = "unknown" if standing.queue is None and "broker" in standing.stores else standing.queue or 0
    parked = sum(count for state, count in standing.parked.items() if state.waits)
    yield f"orders  {on_its_way} in RabbitMQ, {parked} parked"
    for route in standing.routes:
        if route.override is not None or not route.now.is_whole:
            yield str(route)
    rows = [_HEAD, *map(_row, standing.items)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, status, *numbers in rows:
        cells = [name.ljust(widths[0]), status.ljust(widths[1])]
        cells += [number.rjust(width) for number, width in zip(numbers, widths[2:], strict=True)]
        yield "  ".join(cells)
    yield from troubles(standing)


def _row(item: ItemStanding) -> tuple[str, ...]:
    waiting, oldest = str(item.waiting), f"{item.oldest_s:.1f} s" if item.waiting else "-"
    view = item.view
    if view is None:
        return (item.sku, "DAMAGED", "-", "-", "-", "-", waiting, oldest)
    return (item.sku, view.status, *(str(n) for n in (view.total, view.free, view.held, view.paid)), waiting, oldest)
