"""The YAML that the chapter on buyers shows is sound, with and without what it holds back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seckill_sidecar.settings import loads
from seckill_sidecar.settings.buyers import AskSettings, JwtSettings

PAGE = (Path(__file__).parents[2] / "contrib/docs/buyers.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Who is buying\n")[2].partition("\n## ")[0]
ENVIRON = dict.fromkeys(("SECKILL_KEY", "SECKILL_OLD_KEY", "JWT_SECRET"), "0123456789abcdef0123456789abcdef")
SHOWN = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.parametrize("shown", SHOWN, ids=range(len(SHOWN)))
def test_the_yaml_it_shows_is_sound(shown: str) -> None:
    assert loads(shown, "shown", ENVIRON).identity.buyer is not None


@pytest.mark.parametrize("shown", SHOWN, ids=range(len(SHOWN)))
def test_what_it_holds_back_stands_at_its_default(shown: str) -> None:
    held_back = re.sub(r"(?m)^( *)#((?!cookie|headers|host)\w)", r"\1\2", shown)
    assert loads(held_back, "shown", ENVIRON) == loads(shown, "shown", ENVIRON)


def test_it_names_every_setting_of_both() -> None:
    assert [name for name in (*AskSettings.model_fields, *JwtSettings.model_fields) if f"{name}:" not in SECTION] == []
