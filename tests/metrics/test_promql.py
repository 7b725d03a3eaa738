"""What the reader of expressions finds; the tests of rules and dashboard rest on it."""

from __future__ import annotations

import pytest
from promql import Use, figures, filled, uses


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a", set()),
        ('a{x="1",y=~"p|q",z!~"p.*"}', {Use("a", "x", ("1",)), Use("a", "y", ("p", "q")), Use("a", "z")}),
        ("sum by (x) (rate(a[5m]) / b)", {Use("a", "x"), Use("b", "x")}),
        ("max without (x) (max_over_time(rate(a[5m])[1h:]))", {Use("a", "x")}),
        ("a / on (x) b", {Use("a", "x"), Use("b", "x")}),
        ("a unless on (x) b unless on (y) c", {Use("a", "x"), Use("b", "x"), Use("a", "y"), Use("c", "y")}),
        ('-(a offset 1h) or vector(0) > bool b{x=""}', {Use("b", "x")}),
    ],
)
def test_labels_are_found_wherever_they_stand(expression: str, found: set[Use]) -> None:
    assert set(uses(expression)) == found


def test_figures_are_found_in_every_corner() -> None:
    found = figures("histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m]))) > (b offset 1h) unless time() - c > 3")
    assert found == {"a_bucket", "b", "c"}


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        figures("sum(a")


def test_grafanas_variables_are_filled_in() -> None:
    assert filled('rate(a{item=~"$item"}[$__rate_interval])') == 'rate(a{item=~".*"}[5m])'
