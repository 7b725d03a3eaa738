"""The JSON Schema by which editors complete and check the YAML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.section import Outline, Section

_VARIABLE = r"\$\{"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, with every key's description, default and bounds."""
    schema = Settings.model_json_schema(by_alias=True)
    sections = {section.__name__: section for section in _sections(Section)}
    for name, part in [("Settings", schema), *schema["$defs"].items()]:
        section = sections[name]
        _write_defaults_as_in_yaml(part, section)
        if issubclass(section, Outline):
            _allow_empty(part)
    _allow_variables(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _sections(above: type[Section]) -> Iterator[type[Section]]:
    for section in above.__subclasses__():
        yield section
        yield from _sections(section)


def _write_defaults_as_in_yaml(part: dict[str, Any], section: type[Section]) -> None:
    """``500ms`` rather than 0.5."""
    written = section.model_construct().model_dump(mode="json", by_alias=True, warnings=False)
    for name, about in part["properties"].items():
        if "default" in about:
            about["default"] = written.get(name)


def _allow_empty(part: dict[str, Any]) -> None:
    """A section of this part may have nothing under its name."""
    for name, about in part["properties"].items():
        described = {key: about.pop(key) for key in ("default", "description") if key in about}
        part["properties"][name] = {"anyOf": [about, {"type": "null"}], **described}


def _allow_variables(part: Any) -> None:
    """A text may be ``${NAME}`` wherever a pattern is asked for, and short where a secret is."""
    if isinstance(part, list):
        for element in part:
            _allow_variables(element)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("pattern"), str):
        part["pattern"] = f"{part['pattern']}|{_VARIABLE}"
    if part.get("format") == "password":
        part.pop("minLength", None)
    for value in part.values():
        _allow_variables(value)
