"""``config schema``: what editors are told agrees with what is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from settings_files import CONF, FOLDER, GOOD

from seckill_sidecar.settings import json_schema
from seckill_sidecar.settings.document import parse


def as_json(file: Path) -> Any:
    """A file as an editor reads it."""
    return json.loads(json.dumps(parse(file.read_text(), str(file)).values))


def complaints(file: Path) -> list[str]:
    """What the schema says against a file."""
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(as_json(file))]


def test_it_is_a_schema_that_json_can_hold() -> None:
    Draft202012Validator.check_schema(json.loads(json.dumps(json_schema())))


@pytest.mark.parametrize("file", [*GOOD, CONF / "seckill.yaml", CONF / "embedded.yaml"], ids=lambda file: file.stem)
def test_a_good_file_is_good_to_the_schema(file: Path) -> None:
    assert complaints(file) == []


@pytest.mark.parametrize(
    "name", ["bounds", "choices", "missing_keys", "unknown_keys", "wrong_types", "yaml_1_1_gotchas"]
)
def test_a_file_with_bad_keys_or_values_is_bad_to_the_schema(name: str) -> None:
    assert complaints(FOLDER / "bad" / f"{name}.yaml") != []


def test_every_section_refuses_unknown_keys() -> None:
    for name, section in sections().items():
        assert section["additionalProperties"] is False, name


def test_every_key_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key, about in section["properties"].items()
        if not about.get("description") and "$ref" not in str(about)
    ]
    assert undescribed == []


def test_defaults_are_as_one_writes_them() -> None:
    timeouts = sections()["Timeouts"]["properties"]
    assert timeouts["ledger"]["default"] == "500ms"
    assert sections()["Limits"]["properties"]["buyer"]["default"] == "off"
    assert json_schema()["properties"]["timeouts"]["default"]["request"] == "3s"


def sections() -> dict[str, Any]:
    """Each section of the schema by its name."""
    schema = json_schema()
    return {"Settings": schema, **schema["$defs"]}
