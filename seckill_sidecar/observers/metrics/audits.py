"""What the last audit of this host has found, kept in a file beside the figures of the processes.

An audit is a command of whoever runs it, root perhaps: a place among the others would be theirs for good.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_log = logging.getLogger("seckill_sidecar.metrics")


class Audits(Collector):
    """The last audit, in the folder that the processes share."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "audit.json"

    def note(self, drift: int, balanced: bool, at: float) -> None:
        """Remember an audit that ended at this moment (Unix seconds). One that can't be remembered is warned of."""
        found = json.dumps({"drift": drift, "balanced": balanced, "at": at})
        try:
            self._put(found)
        except OSError as error:
            _log.warning("the audit is not told to Prometheus: metrics.folder can't be written: %s", error)

    def _put(self, found: str) -> None:
        with NamedTemporaryFile("w", dir=self._file.parent, prefix=".audit.", delete=False) as new:
            try:
                new.write(found)
                new.flush()
                os.chmod(new.name, 0o644)  # for the sidecar, which is another user
                os.replace(new.name, self._file)
            except OSError:
                os.unlink(new.name)
                raise

    def describe(self) -> list[Metric]:
        """Nothing: registering must not look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families; none before the first audit."""
        try:
            found = json.loads(self._file.read_text())
            drift, balanced, at = (float(found[name]) for name in ("drift", "balanced", "at"))
        except (OSError, ValueError, TypeError, LookupError):
            return
        yield GaugeMetricFamily("seckill_audit_drift", "Orders missing, unknown or differing", value=drift)
        yield GaugeMetricFamily("seckill_audit_balanced", "1 if nothing at all was wrong", value=balanced)
        yield GaugeMetricFamily("seckill_audit_time_seconds", "When the last audit ended (Unix time)", value=at)
