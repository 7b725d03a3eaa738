"""A folder of good and bad files: each says in its head what is to be found in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from settings_files import BAD, ENVIRON, GOOD, differences, expectations

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import inspect, load


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_file_loads_with_the_warnings_that_its_head_names(file: Path) -> None:
    report = inspect(file, ENVIRON)
    assert [str(problem) for problem in report.problems] == []
    assert report.settings == load(file, ENVIRON)
    assert differences(report.warnings, expectations(file, "warn"), file.parent) == []


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_file_has_exactly_the_problems_that_its_head_names(file: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(file, ENVIRON)
    assert differences(raised.value.problems, expectations(file, "expect"), file.parent) == []


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_no_problem_repeats_a_secret(file: Path) -> None:
    said = "\n".join(str(problem) for problem in inspect(file, ENVIRON).problems)
    assert "hunter" not in said
    assert ENVIRON["SECKILL_KEY"] not in said


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_problems_come_in_the_order_of_the_file(file: Path) -> None:
    places = [(problem.line, problem.column) for problem in inspect(file, ENVIRON).problems]
    assert places == sorted(places)
