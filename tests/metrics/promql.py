"""What expressions ask for: names and labels of figures, found by parsing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser as promql

CHOSEN = {"$__rate_interval": "5m", "$quantile": "0.99", "$job": "seckill", "$instance": ".*", "$item": ".*"}
"""What Grafana puts in for its variables."""


class Use(NamedTuple):
    """A label of a figure that an expression relies on, and the values that it asks for, if it names any."""

    figure: str
    label: str
    values: tuple[str, ...] = ()


def filled(expression: str) -> str:
    """An expression of the dashboard as Grafana sends it."""
    for name, value in CHOSEN.items():
        expression = expression.replace(name, value)
    return expression


def figures(expression: str) -> set[str]:
    """The names of all figures that it reads. Raises ``ValueError`` if it is none."""
    return {selector.name for selector in _all_of(promql.parse(expression), promql.VectorSelector)}


def uses(expression: str) -> Iterator[Use]:
    """All labels that it selects, groups or matches by."""
    whole = promql.parse(expression)
    for selector in _all_of(whole, promql.VectorSelector):
        for matcher in selector.matchers.matchers:
            yield Use(selector.name, matcher.name, _named(matcher.value))
    for aggregate in _all_of(whole, promql.AggregateExpr):
        yield from _below(aggregate, aggregate.modifier)
    for binary in _all_of(whole, promql.BinaryExpr):
        yield from _below(binary, binary.modifier and binary.modifier.matching)


def _below(node: Any, modifier: Any) -> Iterator[Use]:
    labels = modifier.labels if modifier else ()
    for selector in _all_of(node, promql.VectorSelector):
        yield from (Use(selector.name, label) for label in labels)


def _all_of(whole: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    promql.walk(whole, lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def _named(value: str) -> tuple[str, ...]:
    """The words of ``a`` or ``a|b``; nothing of other patterns."""
    return tuple(value.split("|")) if re.fullmatch(r"[\w|+-]+", value) else ()
