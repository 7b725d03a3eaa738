"""From a file to settings: read, compose, put in secrets, validate, apply the rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seckill_sidecar.errors import ConfigurationError, Unreadable
from seckill_sidecar.settings.checking import Report, check
from seckill_sidecar.settings.document import parse
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.yaml_text import read


def load(path: str | Path, environ: Mapping[str, str]) -> Settings:
    """The settings in a file; raises ``ConfigurationError`` with everything that is wrong with it,
    ``Unreadable`` if that is only a file that can't be read."""
    return _settings(inspect(path, environ))


def loads(text: str, file: str, environ: Mapping[str, str]) -> Settings:
    """The settings in a text; ``file`` names it in messages, and ``file:`` paths start at its folder."""
    return _settings(_inspect_text(text, file, environ))


def inspect(path: str | Path, environ: Mapping[str, str]) -> Report:
    """Everything that is wrong or doubtful with a file, and its settings if nothing is wrong. Never raises."""
    try:
        text = read(Path(path))
    except ConfigurationError as error:
        return Report(None, error.problems)
    return _inspect_text(text, str(path), environ)


def _inspect_text(text: str, file: str, environ: Mapping[str, str]) -> Report:
    try:
        document = parse(text, file)
    except ConfigurationError as error:
        return Report(None, error.problems)
    return check(document, environ)


def _settings(report: Report) -> Settings:
    if report.settings is None:
        unread = all(problem.unread for problem in report.problems)
        raise (Unreadable if unread else ConfigurationError)(report.problems)
    return report.settings
