"""Whatever is done to a good file, it loads or is refused; nothing else is ever raised."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from settings_files import ENVIRON, GOOD

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import loads

TEXTS = [file.read_text() for file in GOOD]
SNIPPETS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "#",
    "&a ",
    "*a ",
    "<<: ",
    "!x ",
    "|",
    "\t",
    "\n",
    '"',
    "'",
    "${",
    "---\n",
    "~",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["none", "/{a}", "{", "redis://[", "http://[::1", "mysql://h:x/", "unix:", "5/s", "1e999", ":nope", "\ud800"]
    ),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def loads_or_is_refused(text: str) -> None:
    """The one allowed exception carries problems that have a place."""
    try:
        loads(text, "mutated", ENVIRON)
    except ConfigurationError as error:
        refusal = error
    else:
        return
    last = text.count("\n") + 2
    assert refusal.problems
    assert all(1 <= problem.line <= last and problem.column >= 1 and problem.what for problem in refusal.problems)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cut_and_pasted_text_loads_or_is_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        text = text[:start] + data.draw(st.sampled_from(SNIPPETS) | st.text(max_size=5)) + text[start + length :]
    loads_or_is_refused(text)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_other_values_at_any_place_load_or_are_refused(data: st.DataObject) -> None:
    tree = yaml.safe_load(data.draw(st.sampled_from(TEXTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        _replace(tree, data)
    loads_or_is_refused(yaml.safe_dump(tree, allow_unicode=True))


def _replace(tree: Any, data: st.DataObject) -> None:
    """Put another value somewhere into the tree."""
    while True:
        places = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        below = tree[place]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            tree[place] = data.draw(VALUES)
            return
        tree = below
