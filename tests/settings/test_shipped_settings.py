"""The configurations that are shipped: both work as they are, and the long one explains every setting there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_files import CONF, ENVIRON

from seckill_sidecar.settings import Settings, inspect, loads
from seckill_sidecar.settings.lookup import fields_of, section_at
from seckill_sidecar.settings.schema import BuyerSource, QuantitySource, Source
from seckill_sidecar.settings.section import Section

HELD_BACK = re.compile(r"^( *)#(?! [^ ])", re.MULTILINE)
"""A # right before a key or a dash; an explanation has one space after it."""

CHOSEN = {("stores", name) for name in ("redis", "broker", "database", "storefront")} | {
    ("shield", "enabled"),
    ("metrics", "folder"),
}
"""What the production file sets otherwise than the defaults, besides its lists and its buyer."""


@pytest.fixture
def production(tmp_path: Path) -> str:
    """The production file, with its key in a file that exists here."""
    key = tmp_path / "key"
    key.write_text(ENVIRON["SECKILL_KEY"])
    key.chmod(0o400)
    return (CONF / "seckill.yaml").read_text().replace("file:/etc/seckill/key", f"file:{key}")


def test_the_production_file_loads_without_a_warning(production: str, tmp_path: Path) -> None:
    (tmp_path / "seckill.yaml").write_text(production)
    report = inspect(tmp_path / "seckill.yaml", ENVIRON)
    assert [*report.problems, *report.warnings] == []


def test_the_embedded_file_loads_without_a_warning() -> None:
    report = inspect(CONF / "embedded.yaml", {"SECKILL_KEY": ENVIRON["SECKILL_KEY"]})
    assert [*report.problems, *report.warnings] == []


def test_the_production_file_says_which_secrets_it_lacks() -> None:
    problems = inspect(CONF / "seckill.yaml", {}).problems
    assert {problem.where for problem in problems} == {"stores.broker", "stores.database", "keys[0].secret"}


def test_with_nothing_held_back_the_production_file_still_loads(production: str) -> None:
    loads(HELD_BACK.sub(r"\1", production), "seckill.yaml", ENVIRON)


def test_what_the_production_file_holds_back_stands_at_its_default(production: str) -> None:
    as_shipped = loads(production, "seckill.yaml", ENVIRON)
    freed = loads(HELD_BACK.sub(r"\1", production), "seckill.yaml", ENVIRON)
    lists = {"routes", "settles", "items"}
    assert freed.model_dump(exclude=lists) == as_shipped.model_dump(exclude=lists)
    assert freed.routes[0] == as_shipped.routes[0]
    assert freed.settles[0].model_dump(include={"methods", "host", "query", "form", "on"}) == {
        name: default for name, default in _defaults_of(type(freed.settles[0])).items() if name not in ("name", "path")
    }
    assert freed.items[0].model_dump(exclude={"sku", "total"}) == _defaults_of(type(freed.items[0]))


def test_the_production_file_chooses_little() -> None:
    written = yaml.safe_load((CONF / "seckill.yaml").read_text())
    chosen = {(name, key) for name, section in written.items() if isinstance(section, dict) for key in section}
    of_sections = {(above, name) for above in ("breakers", "challenges") for name in written[above]}
    assert chosen - CHOSEN == {("identity", "buyer")} | of_sections


def test_the_production_file_mentions_every_setting_of_the_schema(production: str) -> None:
    # PyYAML's own rules are those of YAML 1.1, to which a plain ``on`` is true.
    mentioned = set(_keys(yaml.load(HELD_BACK.sub(r"\1", production), yaml.BaseLoader)))
    assert sorted(set(_settings(Settings)) - mentioned) == []


def _settings(section: type[Section], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the schema; the kinds of sources are explained in prose, once."""
    for name, _ in fields_of(section).items():
        yield (*above, name)
        below = section_at((*above, name))
        if below and below not in (Source, BuyerSource, QuantitySource):
            yield from _settings(below, (*above, name))


def _keys(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a YAML value, lists without their numbers."""
    if isinstance(value, list):
        for element in value:
            yield from _keys(element, above)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield (*above, name)
            yield from _keys(inner, (*above, name))


def _defaults_of(section: type[Section]) -> dict[str, Any]:
    return {name: field.default for name, field in section.model_fields.items() if not field.is_required()}
