"""The settings in force as YAML: defaults merged in, secrets masked."""

from __future__ import annotations

import yaml

from seckill_sidecar.settings.schema import Settings


def show(settings: Settings) -> str:
    """YAML that loads again, but for its masked secrets (a masked key is too short to sign anything)."""
    values = settings.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
