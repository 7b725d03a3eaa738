"""All rules: the combinations of settings that can't be, and those that are hardly meant."""

from __future__ import annotations

from seckill_sidecar.settings.rules import (
    listening,
    modes,
    moments,
    origin,
    pages,
    routing,
    statements,
    stores,
    templates,
    tracing,
)
from seckill_sidecar.settings.rules.rule import Rule

_FILES = (templates, routing, modes, origin, stores, moments, statements, listening, tracing, pages)

RULES: tuple[Rule, ...] = tuple(value for file in _FILES for value in vars(file).values() if isinstance(value, Rule))
