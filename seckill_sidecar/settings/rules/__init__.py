"""All rules: the combinations of settings that can't be, and those that are hardly meant."""

from __future__ import annotations

from seckill_sidecar.settings.rules import (
    admission,
    buyers,
    challenges,
    cross_site,
    invited,
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

_FILES = (
    templates,
    routing,
    modes,
    origin,
    cross_site,
    buyers,
    invited,
    admission,
    challenges,
    pages,
    stores,
    moments,
    statements,
    listening,
    tracing,
)

RULES: tuple[Rule, ...] = tuple(value for file in _FILES for value in vars(file).values() if isinstance(value, Rule))
