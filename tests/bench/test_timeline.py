"""A sale, cut into moments as the picture in the README shows it."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest
from bench.front import Answered, read_line
from bench.picture import draw
from bench.timeline import timeline

SALE = [
    Answered(at=1000.5, seconds=0.5, status=201, by_nginx=False),
    *[Answered(at=1001.25, seconds=0.001 * i, status=409, by_nginx=i < 100) for i in range(101)],
    Answered(at=1003.0, seconds=0.0, status=409, by_nginx=True),
]


def test_a_line_of_the_log_says_when_how_long_what_and_by_whom() -> None:
    assert read_line("1764100000.123 0.045 201 0.044") == Answered(1764100000.123, 0.045, 201, by_nginx=False)
    assert read_line("1764100000.123 0.000 409 -") == Answered(1764100000.123, 0.0, 409, by_nginx=True)
    assert not read_line("1764100000.123 0.045 200 0.044, 0.001").by_nginx


def test_each_answer_counts_in_the_moment_in_which_it_was_sent() -> None:
    sale = timeline(SALE, 1.0)
    assert [(moment.by_nginx, moment.by_sidecar) for moment in sale.moments] == [(0, 1), (100, 1), (0, 0), (1, 0)]
    assert sale.accepted == [(0.5, 0.5)]


def test_a_moment_has_its_median_and_its_slowest_hundredth() -> None:
    moments = timeline(SALE, 1.0).moments
    assert (moments[1].p50, moments[1].p99) == pytest.approx((0.050, 0.099))
    assert isnan(moments[2].p50)


def test_a_shorter_moment_counts_as_many_answers_a_second() -> None:
    assert [moment.by_sidecar for moment in timeline(SALE, 0.5).moments][:2] == [0, 2]


def test_the_picture_is_small(tmp_path: Path) -> None:
    draw(timeline(SALE, 0.05), "a sale", tmp_path / "sale.png")
    picture = (tmp_path / "sale.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000
