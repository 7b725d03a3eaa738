"""A document → settings, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from seckill_sidecar.errors import Problem
from seckill_sidecar.settings.document import Document
from seckill_sidecar.settings.explain import explain
from seckill_sidecar.settings.findings import Finding, Path
from seckill_sidecar.settings.rules import RULES
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.substitution import substitute

_LISTS = ("keys", "routes", "settles", "items")
"""Sections whose elements are judged one by one, so that a bad one does not hide the others."""


@dataclass(frozen=True)
class Report:
    """What one look at a configuration found. Without problems, there are settings."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(document: Document, environ: Mapping[str, str]) -> Report:
    """Put in variables and files, validate every value, then apply the rules to all that is well-formed."""
    done = substitute(document.values, environ, FilePath(document.file).parent)
    problems = document.problems + [document.problem(finding) for finding in done.problems]
    unread = document.unread | {finding.path for finding in done.problems}
    faults = list(_validate(done.values, document, unread))
    problems += [document.problem(finding, at_key) for finding, at_key in faults]

    broken = {_part(path) for path in unread} | {_part(finding.path) for finding, _ in faults}
    sound = _Sound.of(done.values, broken)
    problems += [document.problem(finding) for finding in sound.findings(warns=False)]
    warnings = [document.problem(finding) for finding in (*done.warnings, *sound.findings(warns=True))]
    return Report(None if problems else sound.settings, _in_order(problems), _in_order(warnings))


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems)))


def _validate(values: dict[str, Any], document: Document, unread: set[Path]) -> Iterator[tuple[Finding, bool]]:
    """Faults of single values; those that could not be read are known already."""
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        for finding, at_key in explain(error, document):
            if not any(finding.path[: len(path)] == path for path in unread):
                yield finding, at_key


def _part(path: Path) -> Path:
    """What is left out for a fault at this path: a key of a section, or an element of a list of sections."""
    return path[:2]


def _without(section: Any, name: str, broken: set[Path]) -> Any:
    if not isinstance(section, dict):
        return section
    return {key: value for key, value in section.items() if (name, key) not in broken}


@dataclass(frozen=True)
class _Sound:
    """The settings without their broken parts, and which those are."""

    settings: Settings | None
    broken: set[Path]
    kept: dict[str, list[int]]
    """For each list, where its remaining elements stood."""

    @classmethod
    def of(cls, values: dict[str, Any], broken: set[Path]) -> _Sound:
        sound = {name: _without(value, name, broken) for name, value in values.items() if (name,) not in broken}
        kept = {}
        for name in _LISTS:
            elements = sound.get(name) or ()
            kept[name] = [i for i in range(len(elements)) if (name, i) not in broken]
            sound[name] = tuple(elements[i] for i in kept[name])
        try:
            return cls(Settings.model_validate(sound), broken, kept)
        except ValidationError:  # broken as a whole; each of its faults is reported already
            return cls(None, broken, kept)

    def findings(self, warns: bool) -> Iterator[Finding]:
        """What the rules find, with the paths of the file."""
        broken = {path[0] for path in self.broken if path}
        for rule in RULES:
            if self.settings and rule.warns is warns and not rule.reads & broken:
                for finding in rule.check(self.settings):
                    yield finding._replace(path=self._as_in_the_file(finding.path))

    def _as_in_the_file(self, path: Path) -> Path:
        if path[0] in _LISTS and len(path) > 1 and isinstance(path[1], int):
            return (path[0], self.kept[str(path[0])][path[1]], *path[2:])
        return path
