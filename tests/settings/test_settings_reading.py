"""Files that can't be read at all, and files that were written to hurt."""

from __future__ import annotations

from pathlib import Path

import pytest

from seckill_sidecar.errors import ConfigurationError, Problem
from seckill_sidecar.settings import inspect, load, loads


def problem_of(path: Path | str) -> Problem:
    """The only problem of a file."""
    report = inspect(path, {})
    assert report.settings is None
    (problem,) = report.problems
    return problem


def test_a_missing_file_is_a_problem_at_its_first_character(tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "none.yaml")
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / "none.yaml"), 1, 1)
    assert "no such file" in problem.what


@pytest.mark.parametrize("name", [".", "with\0null"])
def test_what_is_no_file_is_a_problem(tmp_path: Path, name: str) -> None:
    assert "can't be read" in problem_of(f"{tmp_path}/{name}").what


def test_bytes_that_are_not_utf_8_are_a_problem_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("log:\n  # 秒杀 caf".encode() + b"\xe9\n")
    problem = problem_of(file)
    assert (problem.line, problem.column) == (2, 11)
    assert "0xE9" in problem.what


def test_a_file_in_utf_16_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "utf16.yaml"
    file.write_text("log: {}", "utf-16")
    assert "UTF-8" in problem_of(file).what


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_text("log: {level: debug}", "utf-8-sig")
    assert load(file, {}).log.level == "debug"


def test_a_control_character_is_a_problem_where_it_stands() -> None:
    with pytest.raises(ConfigurationError, match=r"^c:2:10: syntax: the character U\+0007"):
        loads("log:\n  level: \a", "c", {})


def test_a_file_beyond_a_mebibyte_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("#" * ((1 << 20) + 1))
    assert "larger than 1 MiB" in problem_of(file).what


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\n"
        + "".join(f"{i}: &n{i} [*{'b' if i == 0 else f'n{i - 1}'}, *b]\n" for i in range(9)),
        "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9) if i else 'x'}]" for i in range(12)),
        "\n".join(f"k{i}: &k{i} {{<<: [{', '.join([f'*k{i - 1}'] * 9) if i else '{}'}]}}" for i in range(12)),
        "x: " + "[" * 5000,
        "x: " + "{y: " * 40 + "1" + "}" * 40,
        '"\\U99999999": x',
        "%YAML " + "9" * 5000 + ".1\n---\nx: 1",
        "x: " + "1" * 5000,
    ],
)
def test_a_file_written_to_hurt_is_only_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        loads(text, "c", {})


def test_unprintable_keys_can_be_printed() -> None:
    with pytest.raises(ConfigurationError) as raised:
        loads('"\\uD800": 1\n"a\\nb": 2', "c", {})
    assert str(raised.value).encode()
    assert len(str(raised.value).splitlines()) == 2
