"""Puts in what the file only names: ``${NAME}`` from the environment, ``file:`` from a file beside it.

Only a path and the name ever reach a message, never what was put in.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from seckill_sidecar.errors import running_as
from seckill_sidecar.settings.findings import Finding, Path, is_text, quoted

_VARIABLE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WRITTEN_PASSWORD = re.compile(r"://[^:@]*:([^@]+)@|[?&]password=([^&#]+)")
_FILE = "file:"
_URLS = (("redis",), ("broker",), ("database",), ("replica",), ("storefront",))
_LARGEST_SECRET = 1 << 16


class _Missing(Exception):
    """What was named can't be put in; the text says why and how to mend it."""

    unread = False


class _Unread(_Missing):
    """It is a file that can't be read."""

    unread = True


@dataclass
class Substitution:
    """The values of a file with everything put in, and what was found on the way."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


def is_secret(path: Path) -> bool:
    """Whether a value must never show."""
    if path[-2:] == ("jwt", "secret"):
        return path[0] in ("identity", "routes")
    return path == ("operator", "token") or (
        len(path) == 3 and path[0] in ("keys", "challenges") and path[2] == "secret"
    )


def may_name_file(path: Path) -> bool:
    """Whether ``file:/path`` stands for the file's content there."""
    return is_secret(path) or (path[0] == "stores" and path[1:] in _URLS)


def substitute(values: dict[str, Any], environ: Mapping[str, str], folder: FilePath) -> Substitution:
    """Put in variables and files; a relative ``file:`` starts at ``folder``."""
    done = Substitution()
    done.values = _Walk(done, environ, folder).into(values, ())
    return done


class _Walk:
    """One pass over the values, keeping their shape."""

    def __init__(self, done: Substitution, environ: Mapping[str, str], folder: FilePath) -> None:
        self._done = done
        self._environ = environ
        self._folder = folder

    def into(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {name: self.into(inner, (*path, name)) for name, inner in value.items()}
        if isinstance(value, tuple):
            return tuple(self.into(inner, (*path, i)) for i, inner in enumerate(value))
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: Path) -> str:
        try:
            full = _expanded(text, self._environ)
            if text.startswith(_FILE) and may_name_file(path):
                return self._content(full.removeprefix(_FILE), path)
        except _Missing as missing:
            self._done.problems.append(Finding(path, str(missing), missing.unread))
            return text
        if _holds_secret(text, path):
            what = "holds a secret in plain text; write ${NAME} and set it in the environment, or file:/path"
            self._done.warnings.append(Finding(path, what))
        return full

    def _content(self, name: str, path: Path) -> str:
        file = self._folder / name
        if _readable_by_all(file):
            what = f"the file {quoted(str(file))} can be read by every user; chmod it to 0400 or 0440"
            self._done.warnings.append(Finding(path, what))
        return _secret_in(file)


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name = match[1]
        if name is None or not _NAME.fullmatch(name):
            raise _Missing(f"{quoted(match[0])} names no variable; write ${{NAME}}, or $${{ for a literal ${{")
        if name not in environ:
            raise _Missing(f"the environment variable {name} isn't set; set it, or write $${{ for a literal ${{")
        if not is_text(environ[name]):
            raise _Missing(f"the environment variable {name} holds bytes that are no text; set it anew, in UTF-8")
        return environ[name]

    return _VARIABLE.sub(value, text)


def _holds_secret(text: str, path: Path) -> bool:
    if is_secret(path):
        return not _VARIABLE.search(text)
    if not may_name_file(path):
        return False
    return any(not _VARIABLE.search(match[1] or match[2]) for match in _WRITTEN_PASSWORD.finditer(text))


def _secret_in(file: FilePath) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_SECRET + 1)
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        raise _Missing(f"the file {quoted(str(file))} isn't UTF-8 text; write the secret as text") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file name"
        remedy = f"let {running_as()} read it" if isinstance(error, PermissionError) else "correct its name or its mode"
        raise _Unread(f"the file {quoted(str(file))} can't be read: {reason}; {remedy}") from error
    if not text or len(content) > _LARGEST_SECRET:
        raise _Missing(f"the file {quoted(str(file))} is {'too large' if text else 'empty'}; put the secret into it")
    return text


def _readable_by_all(file: FilePath) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except (OSError, ValueError):
        return False
