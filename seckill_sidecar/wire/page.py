"""Regular expressions for pages of others, by RE2: the only file that imports it.

Whoever can write something onto a page could keep Python's own ``re`` busy for minutes; RE2 reads a text once, whatever
stands in it. It is an extra, and is imported when a pattern is first made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from html import unescape
from importlib.util import find_spec
from typing import Any


def fault_of(pattern: str) -> str | None:
    """What is wrong with a pattern, and how to mend it; None if nothing is."""
    if find_spec("re2") is None:
        return "needs an extra package: pip install 'seckill-sidecar[page]'; or read a header or json"
    try:
        groups = _compiled(pattern).groups
    except ValueError as error:
        return f"is no regular expression that RE2 knows: {error}"
    if groups != 1:
        return f"has {groups} groups; put parentheses around the buyer and nothing else, (?:…) elsewhere"
    return None


def finder(pattern: str) -> Callable[[bytes], str]:
    """A function that finds what the pattern's group holds in a page, without HTML's escapes; empty if it finds none.

    The pattern has to be without fault.
    """
    search = _compiled(pattern).search

    def find(page: bytes) -> str:
        found = search(page)
        return unescape((found[1] or b"").decode(errors="replace")) if found is not None else ""

    return find


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False  # they are told as problems of the configuration
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        said = error.args[0]
        raise ValueError(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from error
