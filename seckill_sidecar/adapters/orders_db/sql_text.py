"""Finds ``:name`` parameters and statement ends in SQL text, and leaves quotes, comments, ``::`` and ``:=`` alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_QUOTED_WITH_BACKSLASHES = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`"""
_QUOTED = r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]"""
_BLOCK_COMMENT = r"/\*.*?\*/"
_PARTS = r"""
    (?P<literal> {quoted} | {comment} | :: | := )
  | (?<!\w) : (?P<parameter> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<end> ; )
  | (?P<unclosed> ['"`] | /\* )
"""


class SqlTextError(ValueError):
    """SQL text that can't be understood; says what and where."""


class Syntax:
    """How one kind of database writes quotes and comments."""

    def __init__(self, quoted: str, comment: str) -> None:
        parts = _PARTS.format(quoted=quoted, comment=f"{_BLOCK_COMMENT} | {comment}")
        self._parts = re.compile(parts, re.VERBOSE | re.DOTALL | re.ASCII)

    def scan(self, sql: str) -> Iterator[tuple[str, str]]:
        """Split text into ("text" | "literal" | "parameter" | "end", piece); a parameter comes without its colon."""
        position = 0
        for match in self._parts.finditer(sql):
            kind = str(match.lastgroup)
            if kind == "unclosed":
                raise SqlTextError(f"{match[0]} at character {match.start() + 1} is never closed")
            if match.start() > position:
                yield "text", sql[position : match.start()]
            yield kind, match[kind]
            position = match.end()
        if position < len(sql):
            yield "text", sql[position:]

    def rewrite(self, sql: str, parameter: Callable[[str], str], rest: Callable[[str], str]) -> str:
        """The same SQL with each parameter's name and everything else passed through a function."""
        return "".join(parameter(piece) if kind == "parameter" else rest(piece) for kind, piece in self.scan(sql))

    def parameters(self, sql: str) -> set[str]:
        """The names of the parameters."""
        return {piece for kind, piece in self.scan(sql) if kind == "parameter"}

    def split(self, script: str) -> list[str]:
        """The statements of a script, without their semicolons and without what only comments."""
        statements = [""]
        for kind, piece in self.scan(script):
            if kind == "end":
                statements.append("")
            elif kind == "parameter":
                statements[-1] += ":" + piece
            elif not (kind == "literal" and self._is_comment(piece)):
                statements[-1] += piece
        return [statement.strip() for statement in statements if statement.strip()]

    @staticmethod
    def _is_comment(literal: str) -> bool:
        return literal.startswith(("--", "#", "/*")) and not literal.startswith(("/*!", "/*M!", "/*+"))


MYSQL = Syntax(_QUOTED_WITH_BACKSLASHES, comment=r"--(?=\s|$)[^\n]* | \#[^\n]*")
SQLITE = Syntax(_QUOTED, comment=r"--[^\n]*")
