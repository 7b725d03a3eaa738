"""What is measured and how it is told: rows of a table, figures with their bounds, and the last line's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

_ROW = "  {:<34} {:>12} {:>12} {:>12}  {}"
_FIGURE = "  {:<26} {:>10}   {}"


class NotSound(Exception):
    """A run went wrong, so that its figures mean nothing: answers that must not be, too few or too many orders."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure is to show."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


BOUNDS: Mapping[str, Bound] = {
    "sale_500_vs_floor": Bound(most=1.35),
    "sale_5000_vs_floor": Bound(most=1.5),
    "accept_vs_naive": Bound(least=2.2),
    "accept_vs_bare": Bound(least=0.5),
    "refuse_vs_bare": Bound(least=0.85),
    "admission_check_us": Bound(most=15),
    "writer_vs_executemany": Bound(least=0.5),
    "writer_vs_rowwise": Bound(least=5),
    "cpu_growth_items": Bound(most=1.15),
    "cpu_growth_orders": Bound(most=1.15),
    "ledger_bytes_per_order": Bound(most=700),
    "rss_growth_mb": Bound(most=5),
    "overload_goodput": Bound(least=0.9),
    "overload_p99": Bound(most=5),
    "audit_rss_mb": Bound(most=200),
    "rebuild_s": Bound(most=60),
    "bloom_mb": Bound(most=2.5),
    "bloom_false_percent": Bound(most=0.1),
    "waiters_slowest_s": Bound(most=1),
    "waiter_kib": Bound(most=100),
}
"""By name; a figure without a bound is told all the same."""


@dataclass(slots=True)
class Told:
    """What one part has found."""

    rows: list[tuple[str, Sequence[float], str]] = field(default_factory=list)
    """What was measured, run by run, and its unit."""
    figures: dict[str, float] = field(default_factory=dict)

    def measured(self, what: str, runs: Sequence[float], unit: str) -> None:
        self.rows.append((what, runs, unit))


def print_part(name: str, told: Told) -> None:
    """The table of one part."""
    print(_ROW.format(name, "median", "least", "most", ""))
    for what, runs, unit in told.rows:
        print(_ROW.format(what, *(_short(value) for value in (median(runs), min(runs), max(runs))), unit))
    print(flush=True)


def print_figures(figures: Mapping[str, float]) -> None:
    """All figures beside their bounds, and as the last line as JSON."""
    for name, value in figures.items():
        bound = BOUNDS.get(name)
        verdict = "" if bound is None else f"{bound}{'' if bound.holds(value) else '   NOT MET'}"
        print(_FIGURE.format(name, _short(value), verdict))
    print()
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}), flush=True)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
