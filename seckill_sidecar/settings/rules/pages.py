"""The pages that buyers see: their files are sound, and every language is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import rule
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.theme import OWN_LANGUAGES, theme_of


@rule()
def languages_have_words(settings: Settings) -> Iterator[Finding]:
    pages = settings.pages
    for i, tag in enumerate(pages.languages):
        path = ("pages", "languages", i)
        if tag in pages.languages[:i]:
            yield Finding(path, f"{quoted(tag)} stands there twice; remove one")
        elif tag not in OWN_LANGUAGES and not (pages.folder and (Path(pages.folder) / f"{tag}.yaml").exists()):
            yield Finding(path, f"{quoted(tag)} has no words; put {tag}.yaml into pages.folder, or remove it")


@rule()
def theme_files_are_sound(settings: Settings) -> Iterator[Finding]:
    folder = settings.pages.folder
    if folder is None:
        return
    if not Path(folder).is_dir():
        yield Finding(("pages", "folder"), f"{quoted(folder)} is no folder; make it, or remove this line")
        return
    try:
        theme_of(settings.pages)
    except ConfigurationError as error:
        for problem in error.problems:
            yield Finding(("pages", "folder"), str(problem), problem.unread)
