"""The parts of the benchmark, by the name that ``ONLY`` takes."""

from collections.abc import Callable, Mapping

from bench.figures import Told
from bench.parts import accept, admission, audit, bloom, growth, overload, plot, refuse, sale, waiters, writer

PARTS: Mapping[str, Callable[[int], Told]] = {
    "sale": sale.measure,
    "accept": accept.measure,
    "refuse": refuse.measure,
    "admission": admission.measure,
    "writer": writer.measure,
    "growth": growth.measure,
    "overload": overload.measure,
    "audit": audit.measure,
    "bloom": bloom.measure,
    "waiters": waiters.measure,
}
"""Each is given the number of rounds."""

BY_NAME: Mapping[str, Callable[[int], Told]] = {"plot": plot.measure}
"""Those that run only if they are named: they write files of this folder."""

__all__ = ["BY_NAME", "PARTS"]
