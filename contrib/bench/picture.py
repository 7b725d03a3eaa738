"""The picture of a sale in the README: requests a second above, latency below, over its time."""

from __future__ import annotations

import io
from math import isnan
from pathlib import Path
from typing import Any

from bench.timeline import Timeline

_NGINX, _SIDECAR, _WON, _TEXT, _GRID = "#8fb8de", "#e08a3c", "#2a7f3f", "#333333", "#dddddd"
_COLOURS = 64
_LEAST_MS = 0.5
"""What took less than nginx's log can tell (1 ms) is drawn there."""


def draw(sale: Timeline, title: str, file: Path) -> None:
    """Write the picture as a PNG."""
    # Of the dev extra, and slow to import: nobody but this function needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    figure = Figure(figsize=(9, 5.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    rates, times = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, color=_TEXT, fontweight="bold")
    _rates(rates, sale)
    _times(times, sale)
    for axes in (rates, times):
        _plain(axes)
    times.set_xlim(0, sale.moments[-1].begin + sale.length)
    times.set_xlabel("seconds since the first request", color=_TEXT)
    figure.savefig(drawn := io.BytesIO())
    Image.open(drawn).convert("RGB").quantize(_COLOURS).save(file, optimize=True)


def _rates(axes: Any, sale: Timeline) -> None:
    edges = [moment.begin for moment in sale.moments] + [sale.moments[-1].begin + sale.length]
    sidecar = [moment.by_sidecar for moment in sale.moments]
    everybody = [moment.by_sidecar + moment.by_nginx for moment in sale.moments]
    axes.stairs(everybody, edges, baseline=0, fill=True, color=_NGINX, label="sold out, said by nginx alone")
    axes.stairs(sidecar, edges, baseline=0, fill=True, color=_SIDECAR, label="answered by the sidecar")
    axes.set_ylabel("answers a second", color=_TEXT)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    last = sale.accepted[-1][0]
    axes.axvline(last, color=_WON, linewidth=1.2)
    said = f"the last of {len(sale.accepted)} units is sold after {last:.2f} s "
    axes.annotate(said, (last, 1.02), xycoords=("data", "axes fraction"), color=_WON, fontsize=9)
    axes.legend(loc="lower right", fontsize=9, labelcolor=_TEXT)


def _times(axes: Any, sale: Timeline) -> None:
    middles = [moment.begin + sale.length / 2 for moment in sale.moments]
    for name, style, values in (
        ("p99", "-", [moment.p99 for moment in sale.moments]),
        ("p50", ":", [moment.p50 for moment in sale.moments]),
    ):
        axes.plot(middles, [_ms(value) for value in values], style, color=_TEXT, linewidth=1.4, label=f"{name} of all")
    won = [(at, _ms(seconds)) for at, seconds in sale.accepted]
    axes.plot(*zip(*won, strict=True), ".", color=_WON, markersize=5, alpha=0.6, label="an accepted purchase")
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_MS * 0.8, None)
    axes.set_yticks([_LEAST_MS, 1, 10, 100, 1000], ["< 1 ms", "", "10 ms", "100 ms", "1 s"])
    axes.minorticks_off()
    axes.set_ylabel("time to answer", color=_TEXT)
    axes.legend(loc="upper right", fontsize=9, labelcolor=_TEXT)


def _plain(axes: Any) -> None:
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_TEXT, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _ms(seconds: float) -> float:
    return seconds if isnan(seconds) else max(1000 * seconds, _LEAST_MS)
