"""The settings in force as YAML: defaults merged in, secrets masked."""

from __future__ import annotations

from typing import Any

import yaml

from seckill_sidecar.settings.schema import Settings


def show(settings: Settings) -> str:
    """YAML that loads again, but for its masked secrets (a masked key is too short to sign anything)."""
    values = _literal(settings.model_dump(mode="json", by_alias=True))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def _literal(value: Any) -> Any:
    """Texts so that no variable is put in when they are read again."""
    if isinstance(value, dict):
        return {name: _literal(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
