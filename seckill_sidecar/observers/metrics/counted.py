"""What lies in the files of all processes, those that are gone too, added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


class Counted(Collector):
    """Reads the folder when somebody asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The families, as prometheus_client adds them up."""
        merged: Iterable[Metric] = MultiProcessCollector.merge(list(self._files()))  # type: ignore[no-untyped-call]
        return merged

    def _files(self) -> Iterator[str]:
        """Those that hold something. A process that begins, or was killed as it began, has an empty one."""
        for file in self._folder.glob("*.db"):
            with suppress(FileNotFoundError):  # one that is gone told of its moment only
                if file.stat().st_size:
                    yield str(file)
