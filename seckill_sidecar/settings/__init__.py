"""YAML → frozen settings; all problems at once, each with file, line and column."""

from seckill_sidecar.settings.checking import Report
from seckill_sidecar.settings.json_schema import json_schema
from seckill_sidecar.settings.reading import inspect, load, loads
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.show import show

__all__ = ["Report", "Settings", "inspect", "json_schema", "load", "loads", "show"]
