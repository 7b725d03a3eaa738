"""Durations, sizes, rates and times: what is read, what is refused, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seckill_sidecar.model import Rate
from seckill_sidecar.settings.values import (
    format_duration,
    format_moment,
    format_rate,
    format_share,
    format_size,
    masked,
    parse_duration,
    parse_moment,
    parse_rate,
    parse_share,
    parse_size,
)

A_YEAR = 366 * 86400.0


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("3s", 3.0),
        ("1.5s", 1.5),
        ("15m", 900.0),
        ("2 h", 7200.0),
        ("1d", 86400.0),
        (0, 0.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", [3, 0.5, True, None, "", "3", "s", "1h30m", "-1s", "1e3s", "٣s", "367d", "9" * 999 + "s"]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_duration(written)


@given(st.floats(min_value=0, max_value=A_YEAR).map(lambda seconds: round(seconds, 9)))
def test_every_duration_is_read_back_as_it_was(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize("written", ["500ms", "3s", "90s", "15m", "2h", "1d", "50ms", "0s"])
def test_a_duration_is_written_with_the_largest_unit_that_fits(written: str) -> None:
    assert format_duration(parse_duration(written)) == written


@pytest.mark.parametrize(
    ("written", "size"), [("64KiB", 65536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30), ("7B", 7), (7, 7), ("7", 7)]
)
def test_a_size_is_a_number_and_a_unit(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", [-1, 1.5, True, None, "", "64KB", "64k", "-1", "2048GiB", "9" * 999])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_size(written)


@given(st.integers(min_value=0, max_value=1 << 40))
def test_every_size_is_read_back_as_it_was(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("5/s", Rate(5, 1.0, 5)),
        ("10/2s", Rate(10, 2.0, 10)),
        ("5/s burst 20", Rate(5, 1.0, 20)),
        ("5 / m, burst 1", Rate(5, 60.0, 1)),
        ("off", None),
        (False, None),
        (None, None),
    ],
)
def test_a_rate_is_so_many_in_a_time(written: object, rate: Rate | None) -> None:
    assert parse_rate(written) == rate


@pytest.mark.parametrize(
    "written", [5, True, "", "5", "/s", "0/s", "5/0s", "5/s burst 0", "5/s burst", "-5/s", "on", "٥/s"]
)
def test_what_is_no_rate_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_rate(written)


@given(
    st.integers(1, 999_999_999),
    st.integers(1, 86_400_000).map(lambda ms: ms / 1000),
    st.integers(1, 999_999_999),
)
def test_every_rate_is_read_back_as_it_was(count: int, per: float, burst: int) -> None:
    assert parse_rate(format_rate(Rate(count, per, burst))) == Rate(count, per, burst)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-11T20:00:00+08:00",
        "2026-11-11T12:00:00Z",
        "2026-11-11t12:00:00z",
        "2026-11-11 20:00:00 +08:00",
        " 2026-11-11T12:00Z ",
    ],
)
def test_a_time_has_a_zone(written: str) -> None:
    assert parse_moment(written) == 1_794_398_400_000


@pytest.mark.parametrize(
    "written", [0, 1794398400, True, None, "", "now", "2026-11-11T20:00:00", "2026-11-11", "2026-02-30T00:00Z"]
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="for example"):
        parse_moment(written)


@pytest.mark.parametrize("written", ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_time_before_1970_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="before 1970"):
        parse_moment(written)


def test_no_bound_is_spelled_out() -> None:
    assert parse_moment("none") == 0
    assert format_moment(0) == "none"


@given(st.integers(min_value=1, max_value=253_402_300_799_999))
def test_every_time_is_read_back_to_the_millisecond(moment: int) -> None:
    assert parse_moment(format_moment(moment)) == moment


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://shop:hunter2@cache:6379/0", "redis://shop:***@cache:6379/0"),
        ("redis://:hunter2@cache", "redis://:***@cache"),
        ("mysql://shop:hunter@2/hunter:2@db/shop", "mysql://shop:***@db/shop"),
        ("unix:///run/redis.sock?db=1&password=hunter2&x=y", "unix:///run/redis.sock?db=1&password=***&x=y"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("embedded", "embedded"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("written", "share"),
    [("1%", 0.01), ("0.5 %", 0.005), ("100%", 1.0), ("none", 0.0), (0.01, 0.01), (0, 0.0), (1, 1.0)],
)
def test_a_share_is_percent_or_a_part_of_one(written: object, share: float) -> None:
    assert parse_share(written) == pytest.approx(share)


@pytest.mark.parametrize("written", [True, None, "", "1", "%", "-1%", "101%", 1.01, -0.1, float("nan"), "1e2%", "٣%"])
def test_what_is_no_share_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_share(written)


@given(st.integers(0, 1_000_000).map(lambda millionths: millionths / 1_000_000))
def test_every_share_is_read_back_as_it_was(share: float) -> None:
    assert parse_share(format_share(share)) == pytest.approx(share, abs=1e-12)
