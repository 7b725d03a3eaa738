"""What reading and checking find: a path into the configuration and a sentence about it.

Where a path stands in the file is known to ``document``; only there do findings become ``Problem``s.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Names of keys and numbers of list elements, from the top: ``("routes", 0, "item", "path")``."""

_PLAIN = re.compile(r"[\w-]+")
_LONGEST = 60


class Finding(NamedTuple):
    """Something wrong, or doubtful, at one path."""

    path: Path
    what: str
    """Continues the path as a sentence: what is wrong, and how to mend it."""
    unread: bool = False
    """Whether it is only that a file can't be read."""


def is_text(text: str) -> bool:
    """Whether it is made of characters only: no halves of them, as escapes and odd bytes can leave behind."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def dotted(path: Path) -> str:
    """A path as people write it: ``routes[0].item.path``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _PLAIN.fullmatch(step) else quoted(step))
    return text


def quoted(text: str) -> str:
    """Text from the file as a message may hold it: in quotes, short, nothing unprintable."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
