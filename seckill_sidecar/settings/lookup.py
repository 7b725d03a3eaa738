"""What the schema says of a path: the section there, its keys, a field's description and default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from seckill_sidecar.settings.findings import Path
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.section import Section


def section_at(path: Path) -> type[Section] | None:
    """The section whose keys stand at a path; None if none does. (A field holds one kind of section at most.)"""
    section: type[Section] | None = Settings
    for name in (step for step in path if isinstance(step, str)):
        field = fields_of(section).get(name) if section else None
        section = next(_sections_in(field.annotation), None) if field else None
    return section


def field_at(path: Path) -> FieldInfo | None:
    """The field at a path (a list's, for its elements); None if there is none."""
    names = [step for step in path if isinstance(step, str)]
    section = section_at(tuple(names[:-1]))
    return fields_of(section).get(names[-1]) if section else None


def fields_of(section: type[Section]) -> dict[str, FieldInfo]:
    """A section's fields under their YAML names."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)
