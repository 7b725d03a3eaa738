"""YAML nodes → plain Python values, with a map from each value's path to its place in the file.

Lists arrive as tuples. What is wrong with single nodes (a key that stands twice, an unknown tag) is
collected, and the rest is read on, so that one run tells everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from seckill_sidecar.errors import ConfigurationError, Problem
from seckill_sidecar.settings.findings import Finding, Path, dotted, is_text, quoted
from seckill_sidecar.settings.yaml_text import FLOAT, INT, TAGS, compose

_MOST_VALUES = 20_000
_DEEPEST = 20


class Place(NamedTuple):
    """A position in the file, counted from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, node: yaml.Node) -> Place:
        return cls(node.start_mark.line + 1, node.start_mark.column + 1)


@dataclass
class Document:
    """One configuration file as it was read."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    """Where each value stands; ``()`` is the whole."""
    keys: dict[Path, Place] = field(default_factory=dict)
    """Where each value's key stands."""
    texts: dict[Path, str] = field(default_factory=dict)
    """Each scalar as it was written, before anything was read into it."""
    problems: list[Problem] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)
    """Values that could not be read; None stands in for them."""

    def problem(self, finding: Finding, at_key: bool = False) -> Problem:
        """The finding with its place: the value's (or its key's), else that of what it should stand in."""
        place = self.keys.get(finding.path) if at_key else None
        above = finding.path
        while place is None:
            place = self.places.get(above)
            above = above[:-1]
        return Problem(self.file, place.line, place.column, dotted(finding.path), finding.what, finding.unread)

    def found(self, path: Path) -> str:
        """What stands at a path, for a message."""
        value: Any = self.values
        for step in path:
            value = value[step]
        if isinstance(value, dict | tuple):
            return "a mapping" if isinstance(value, dict) else "a list"
        text = self.texts.get(path, "")
        return quoted(text) if isinstance(value, str) else text or "nothing"


def parse(text: str, file: str) -> Document:
    """Read the text; raises ``ConfigurationError`` if it is no YAML or no mapping of keys to values."""
    root = compose(text, file)
    document = Document(file, places={(): Place.of(root)})
    if not isinstance(root, yaml.MappingNode):
        what = "isn't a mapping; write `key: value` lines, as conf/embedded.yaml does"
        raise ConfigurationError([Problem(file, *document.places[()], "file", what)])
    document.values = _Builder(document).mapping(root, ())
    return document


class _Builder:
    """Builds the values of one document, node by node."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[yaml.Node] = []
        self._entries = 0

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values = {}
        for name, (key, value) in self._pairs(node, path).items():
            self._document.keys[*path, name] = Place.of(key)
            values[name] = self._value(value, (*path, name))
        return values

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._document.places[path] = Place.of(node)
        with self._entered(node, path) as new:
            if not new:
                return None
            if isinstance(node, yaml.MappingNode) and node.tag == TAGS["map"]:
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == TAGS["seq"]:
                return tuple(self._value(element, (*path, i)) for i, element in enumerate(node.value))
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path)
            return self._tagged(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text: str = node.value
        self._document.texts[path] = text
        if not is_text(text):
            return self._unread(node, path, "has an escape in it that is no character; correct it")
        if node.tag == TAGS["str"]:
            return text
        if node.tag == TAGS["null"]:
            return None
        if node.tag == TAGS["bool"] and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if node.tag == TAGS["int"] and INT.fullmatch(text):
            return int(text)
        if node.tag == TAGS["float"] and (FLOAT.fullmatch(text) or INT.fullmatch(text)):
            return float(text)
        return self._tagged(node, path)

    def _pairs(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The mapping's keys with what it merges (``<<``): its own win, then the first merged."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == TAGS["merge"]:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif not isinstance(key, yaml.ScalarNode) or not is_text(key.value):
                self._note(key, path, "has a key that is no text; keys are plain words")
            elif key.value in own:
                first = Place.of(own[key.value][0])
                what = f"stands twice, first at {first.line}:{first.column}; keep one of the two"
                self._note(key, (*path, key.value), what)
            else:
                own[key.value] = (key, value)
        for other in merged:
            own = self._merged(other, path) | own
        return own

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        with self._entered(node, path) as new:
            if new and isinstance(node, yaml.MappingNode):
                return self._pairs(node, path)
        if new:
            self._note(node, path, "merges (<<) what is no mapping; name the anchor of a mapping")
        return {}

    @contextmanager
    def _entered(self, node: yaml.Node, path: Path) -> Iterator[bool]:
        """Whether the node is new on the way down; an alias to what it stands in would never end."""
        if any(node is above for above in self._open):
            self._unread(node, path, "contains itself, through an alias (*); write it out")
            yield False
            return
        self._entries += 1
        if self._entries > _MOST_VALUES or len(self._open) > _DEEPEST:
            raise ConfigurationError([self._problem(node, path, "is too large or too deep for a configuration")])
        self._open.append(node)
        try:
            yield True
        finally:
            self._open.pop()

    def _tagged(self, node: yaml.Node, path: Path) -> None:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        self._unread(node, path, f"has the tag {quoted(tag)}, which doesn't fit here; remove it")

    def _unread(self, node: yaml.Node, path: Path, what: str) -> None:
        self._document.unread.add(path)
        self._note(node, path, what)

    def _note(self, node: yaml.Node, path: Path, what: str) -> None:
        self._document.problems.append(self._problem(node, path, what))

    def _problem(self, node: yaml.Node, path: Path, what: str) -> Problem:
        return Problem(self._document.file, *Place.of(node), dotted(path), what)
