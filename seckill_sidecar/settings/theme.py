"""The theme of the pages that buyers see: the program's own, or a site's ``page.html`` and ``en.yaml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from seckill_sidecar.errors import ConfigurationError, Problem
from seckill_sidecar.settings.document import Document, parse
from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.schema import PageSettings
from seckill_sidecar.settings.yaml_text import read
from seckill_sidecar.wire.pages import ENTRIES, PLACEHOLDER, PLACEHOLDERS, VALUE, WORDS, Texts, Theme

TEMPLATE = "page.html"
OWN_LANGUAGES = ("en", "zh")
"""Those that the program speaks by itself."""
_NEEDED = ("lang", "title", "text", "more", "refresh")
_LONGEST_TEXT = 500
_LONGEST_LINE = 1500
_LARGEST_TEMPLATE = 16_384
_KEYS = {f"{entry}.{part}": values for entry, values in ENTRIES.items() for part in ("title", "text")} | {
    f"words.{word}": values for word, values in WORDS.items()
}
"""Everything that a language has to say, with the values that each may name."""


def theme_of(settings: PageSettings) -> Theme:
    """The theme of a site; raises ``ConfigurationError`` with everything that is wrong with its files."""
    folder = Path(settings.folder) if settings.folder is not None else None
    problems: list[Problem] = []
    template = _template(folder, problems)
    languages = {tag: _texts(tag, folder, problems) for tag in settings.languages}
    if problems:
        raise ConfigurationError(problems)
    return Theme(template, languages)


@lru_cache(maxsize=8)
def _shipped(name: str) -> str:
    return (files("seckill_sidecar.pages") / name).read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _own(tag: str) -> Texts:
    return _said(parse(_shipped(f"{tag}.yaml"), f"{tag}.yaml"))


def _template(folder: Path | None, problems: list[Problem]) -> str:
    file = folder / TEMPLATE if folder is not None else None
    if file is None or not file.exists():
        return _shipped(TEMPLATE)
    try:
        text = read(file)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return ""
    problems.extend(Problem(str(file), line, column, "page", what) for line, column, what in _faults(text))
    return text


def _faults(text: str) -> Iterator[tuple[int, int, str]]:
    """What can't be in a template, each with line and column."""
    if len(text.encode()) > _LARGEST_TEMPLATE:
        yield 1, 1, f"is larger than {_LARGEST_TEMPLATE} bytes; put styles and pictures into files of the shop's"
    found = set()
    for number, line in enumerate(text.splitlines(), 1):
        if len(line.encode()) > _LONGEST_LINE:
            yield number, 1, f"is longer than {_LONGEST_LINE} bytes, which nginx can't take; break the line"
        if "$" in line:
            column = line.index("$") + 1
            yield number, column, "has a $, which nginx takes for a variable; write &#36; (in styles: \\24 )"
        for match in PLACEHOLDER.finditer(line):
            found.add(match[1])
            if match[1] not in PLACEHOLDERS:
                known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
                what = f"has {match[0]}, which stands for nothing{_near(match[1])}known: {known}"
                yield number, match.start() + 1, what
    for name in _NEEDED:
        if name not in found:
            yield 1, 1, f"has no {{{{{name}}}}}; {TEMPLATE} of the program shows where it belongs"


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
    return f"; did you mean {{{{{near[0]}}}}}? " if near else "; "


def _texts(tag: str, folder: Path | None, problems: list[Problem]) -> Texts:
    """A language: the program's own words, and the site's instead of them."""
    own = _own(tag) if tag in OWN_LANGUAGES else {}
    file = folder / f"{tag}.yaml" if folder is not None else None
    if file is None or not file.exists():
        return own  # that it is none at all, the rules find
    try:
        document = parse(read(file), str(file))
    except ConfigurationError as error:
        problems.extend(error.problems)
        return own
    theirs = _said(document)
    wrong = [*document.problems, *(document.problem(finding) for finding in _unfit(document, theirs))]
    missing = [key for key in _KEYS if key not in own and key not in theirs]
    if missing and not wrong:
        what = f"lacks {', '.join(missing[:3])}{' and more' * (len(missing) > 3)}; a new language needs every entry"
        wrong.append(document.problem(Finding((), what)))
    problems.extend(wrong)
    return {**own, **theirs}


def _said(document: Document) -> dict[str, str]:
    """The texts of a file by ``sold_out.title``; what is none is left out."""
    said = {}
    for name, entry in document.values.items():
        if isinstance(entry, dict):
            said.update({f"{name}.{part}": text for part, text in entry.items() if isinstance(text, str)})
    return said


def _unfit(document: Document, said: Mapping[str, str]) -> Iterator[Finding]:
    for name, entry in document.values.items():
        if not isinstance(entry, dict):
            yield Finding((name,), "is no entry; write {title: …, text: …}")
            continue
        for part, text in entry.items():
            key, path = f"{name}.{part}", (name, part)
            if key not in _KEYS:
                near = difflib.get_close_matches(key, _KEYS, n=1)
                yield Finding(path, f"is no text of the pages; {f'did you mean {near[0]}?' if near else 'remove it'}")
            elif key not in said or not text.strip():
                yield Finding(path, "is no text; put it in quotes")
            else:
                yield from (Finding(path, what) for what in _unsayable(text, _KEYS[key]))


def _unsayable(text: str, values: tuple[str, ...]) -> Iterator[str]:
    if len(text) > _LONGEST_TEXT:
        yield f"is longer than {_LONGEST_TEXT} letters; say it shorter"
    for name in VALUE.findall(text):
        if name not in values:
            known = ", ".join(f"{{{value}}}" for value in values) or "none"
            yield f"names {{{name}}}, a value that it does not have; it has {known}"
