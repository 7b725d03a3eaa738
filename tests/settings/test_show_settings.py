"""``config show``: everything in force, as YAML that loads again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from settings_files import ENVIRON, GOOD

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import Settings, load, loads, show

MASKED_KEY = re.compile(r"(secret|token): '\*+'")


def shown_again(settings: Settings) -> str:
    """What is shown of what was shown, with keys that can sign put in for the masked ones."""
    text = MASKED_KEY.sub(r"\1: ${SECKILL_KEY}", show(settings))
    return show(loads(text, "shown", ENVIRON))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_what_is_shown_loads_as_the_same_settings(file: Path) -> None:
    settings = load(file, ENVIRON)
    assert shown_again(settings) == show(settings)


def test_every_default_is_shown() -> None:
    shown = yaml.safe_load(show(Settings()))
    assert set(shown) == set(Settings.model_fields)
    assert shown["timeouts"]["ledger"] == "500ms"
    assert shown["limits"] == {
        "buyer": "off",
        "address": "off",
        "orders_per_address": None,
        "in_flight": 256,
        "wait": "2s",
        "body": "64KiB",
        "remember_sold_out": 1.0,
    }


def test_a_masked_key_is_no_key() -> None:
    settings = loads("keys: [{id: a, secret: '${SECKILL_KEY}'}]", "c", ENVIRON)
    with pytest.raises(ConfigurationError, match="the secret is too short"):
        loads(show(settings), "shown", ENVIRON)


def test_a_literal_dollar_brace_stays_literal() -> None:
    settings = loads("stores: {embedded_dir: '$${HOME}'}", "c", {})
    assert settings.stores.embedded_dir == "${HOME}"
    assert loads(show(settings), "shown", {"HOME": "/root"}) == settings


def test_showing_settings_leaves_them_as_they_are() -> None:
    settings = loads("stores: {redis: 'redis://:${SECKILL_PASSWORD}@cache'}", "c", ENVIRON)
    assert "redis://:***@cache" in show(settings)
    assert settings.stores.redis == "redis://:sesame@cache"
