"""A file's bytes → text → YAML nodes, each knowing its line and column.

Plain scalars are read by the rules of YAML 1.2: only ``true`` and ``false`` are booleans, only decimal
digits are numbers. ``off``, ``no``, ``1:30``, ``010`` and unquoted times stay text, for whoever asks for
a text or a number to judge.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from seckill_sidecar.errors import ConfigurationError, Problem, running_as

TAGS = {name: f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "map", "seq", "merge")}
INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", re.ASCII)

_LARGEST_FILE = 1 << 20
_SAYINGS = (
    ("'\\t' that cannot start", "a tab stands where only spaces may; indent with spaces"),
    ("expected a single document", "a second document starts here; keep one document a file"),
    ("mapping values are not allowed", "a colon can't stand here; check the indentation, or quote the text before it"),
    ("could not find expected ':'", "a key without its colon; write `key: value`, and check the quotes above"),
    ("but found '<block mapping start>'", "the indentation fits no line above; align it with its neighbours"),
    ("expected <block end>", "this fits nothing above; check the indentation, or quote the text"),
    ("unexpected end of stream", "a quote was opened and never closed"),
    ("expected ',' or", "a bracket isn't closed, or a text with { } [ ] or , inside brackets needs quotes"),
    ("that cannot start any token", "no text starts with this character; put the text in quotes"),
    ("undefined alias", "this alias has no anchor above; write the anchor (&name) before its alias (*name)"),
)


class _Loader(yaml.SafeLoader):
    """Composes nodes, with the scalar rules of YAML 1.2 instead of PyYAML's 1.1."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own shape)


for _name, _pattern, _first in (
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("int", re.compile(rf"^{INT.pattern}\Z", re.ASCII), "+-0123456789"),
    ("float", re.compile(rf"^{FLOAT.pattern}\Z", re.ASCII), "+-0123456789"),
    ("merge", re.compile(r"^<<$"), "<"),
):
    _Loader.add_implicit_resolver(TAGS[_name], _pattern, list(_first))


def read(path: Path) -> str:
    """The file's text; raises ``ConfigurationError`` if it can't be read or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise _unread(path, "there is no such file; check its name") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unread(path, f"can't be read ({reason}); it must be a file that {running_as()} may read") from error
    if len(raw) > _LARGEST_FILE:
        raise _broken(str(path), 1, 1, "file", "is larger than 1 MiB; is this the right file?")
    return _decoded(raw, str(path))


def compose(text: str, file: str) -> yaml.Node:
    """The root node; raises ``ConfigurationError`` if the text is no YAML, empty, or several documents."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line, column = _place(text, error.position)
        raise _broken(
            file, line, column, "syntax", f"the character U+{error.character:04X} can't stand in YAML; remove it"
        ) from error
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line, column, what = _said(error)
        raise _broken(file, line, column, "syntax", what) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets some escapes and directives through to int() and chr()
        mark = loader.get_mark()
        raise _broken(
            file, mark.line + 1, mark.column + 1, "syntax", "a number or escape here is out of range; correct it"
        ) from error
    except RecursionError as error:
        raise _broken(file, 1, 1, "syntax", "is nested too deep to be a configuration") from error
    if node is None:
        raise _broken(file, 1, 1, "file", "is empty; conf/embedded.yaml is a small example to start from")
    return node


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        line, column = _place(before, len(before))
        raise _broken(
            file, line, column, "file", f"isn't UTF-8 (byte 0x{error.object[error.start]:02X}); save it as UTF-8"
        ) from error


def _said(error: yaml.MarkedYAMLError) -> tuple[int, int, str]:
    """Line, column and what is wrong: where PyYAML stopped, but for quotes and brackets where they open."""
    problem, context, opened = str(error.problem), str(error.context), error.context_mark
    what = next((saying for part, saying in _SAYINGS if part in problem), problem)
    mark = error.problem_mark or opened
    if opened and "quoted scalar" in context:
        mark = opened
    elif opened and "flow" in context:
        what += f" (the bracket opens at {opened.line + 1}:{opened.column + 1})"
    return (mark.line + 1, mark.column + 1, what) if mark else (1, 1, what)


def _place(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character of the text."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _unread(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 1, 1, "file", what, unread=True)])


def _broken(file: str, line: int, column: int, where: str, what: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, line, column, where, what)])
