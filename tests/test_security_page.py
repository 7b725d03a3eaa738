"""The page on security promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "contrib/docs/SECURITY.md"
NAMED = re.findall(r"`(test_[a-z0-9_]+)`", PAGE.read_text(encoding="utf-8"))


def all_there_are() -> set[str]:
    """The names of all tests there are."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (ROOT / "tests").rglob("test_*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_test_that_it_names_is_there() -> None:
    assert len(NAMED) > 30
    assert sorted(set(NAMED) - all_there_are()) == []


def test_every_attempt_has_one() -> None:
    attempts = PAGE.read_text(encoding="utf-8").partition("## What can be tried")[2]
    rows = re.findall(r"(?m)^\| (?!attempt )[^-].*$", attempts)
    assert len(rows) > 20
    assert [row for row in rows if "`test_" not in row] == []


def test_every_file_it_links_to_is_there() -> None:
    for page in (PAGE, ROOT / "contrib/verify/README.md"):
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (page.parent / link).exists()] == []
