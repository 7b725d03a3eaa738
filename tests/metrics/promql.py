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
        yield from _by(aggregate.modifier, aggregate.expr)
    for binary in _all_of(whole, promql.BinaryExpr):
        yield from _by(binary.modifier and binary.modifier.matching, binary.lhs, binary.rhs)


def _by(modifier: Any, *operands: Any) -> Iterator[Use]:
    """The labels of a modifier, of all figures that the operands take theirs from."""
    for label in modifier.labels if modifier else ():
        for operand in operands:
            carriers = promql.transform(operand, None, _carrier)
            yield from (Use(selector.name, label) for selector in _all_of(carriers, promql.VectorSelector))


def _carrier(node: Any) -> Any:
    """``a and b`` and ``a unless b`` have the labels of a."""
    return node.lhs if isinstance(node, promql.BinaryExpr) and str(node.op) in ("and", "unless") else None


def _all_of(whole: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    promql.walk(whole, lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def _named(value: str) -> tuple[str, ...]:
    """The words of ``a`` or ``a|b``; nothing of other patterns."""
    return tuple(value.split("|")) if re.fullmatch(r"[\w|+-]+", value) else ()
