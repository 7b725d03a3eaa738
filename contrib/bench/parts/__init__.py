"""The parts of the benchmark, by the name that ``ONLY`` takes."""

from collections.abc import Callable, Mapping

from bench.figures import Told
from bench.parts import accept, refuse, writer

PARTS: Mapping[str, Callable[[int], Told]] = {
    "accept": accept.measure,
    "refuse": refuse.measure,
    "writer": writer.measure,
}
"""Each is given the number of rounds."""

__all__ = ["PARTS"]
