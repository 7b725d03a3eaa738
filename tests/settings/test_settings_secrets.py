"""Variables and secret files: what is put in, what is missing, and that nothing of it ever shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import Settings, inspect, load, loads, show

SECRET = "correct-horse-battery-staple"
ONE_KEY = "keys:\n  - id: a\n    secret: {secret}\n"


def write(folder: Path, name: str, text: str, mode: int = 0o400) -> Path:
    """A file of this mode."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def key_of(settings: Settings) -> str:
    """The secret of its only key."""
    return settings.keys[0].secret.get_secret_value()


def test_a_secret_comes_from_the_environment() -> None:
    assert key_of(loads(ONE_KEY.format(secret="${KEY}"), "c.yaml", {"KEY": SECRET})) == SECRET


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    write(tmp_path, "key", f"  {SECRET}\n")
    configuration = write(tmp_path, "c.yaml", ONE_KEY.format(secret="file:key"))
    report = inspect(configuration, {})
    assert report.settings is not None
    assert key_of(report.settings) == SECRET
    assert report.warnings == ()


def test_the_folder_of_secrets_may_be_a_variable(tmp_path: Path) -> None:
    write(tmp_path, "key", SECRET)
    text = ONE_KEY.format(secret="file:${CREDENTIALS_DIRECTORY}/key")
    assert key_of(loads(text, "c.yaml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})) == SECRET


def test_a_variable_does_not_become_the_name_of_a_file() -> None:
    with pytest.raises(ConfigurationError, match="too short"):
        loads(ONE_KEY.format(secret="${KEY}"), "c.yaml", {"KEY": "file:/etc/key"})


def test_what_was_put_in_is_not_read_for_variables_again(tmp_path: Path) -> None:
    write(tmp_path, "key", "${HOME}-of-sixteen-characters")
    configuration = write(tmp_path, "c.yaml", ONE_KEY.format(secret="file:key"))
    assert key_of(load(configuration, {})) == "${HOME}-of-sixteen-characters"
    assert key_of(loads(ONE_KEY.format(secret="${KEY}"), "c.yaml", {"KEY": "${HOME}" * 4})) == "${HOME}" * 4


def test_a_store_s_url_comes_from_a_file(tmp_path: Path) -> None:
    write(tmp_path, "redis", "redis://:hunter2@cache.example/0\n")
    configuration = write(tmp_path, "c.yaml", "stores: {redis: file:redis}")
    assert load(configuration, {}).stores.redis == "redis://:hunter2@cache.example/0"


def test_other_settings_have_no_files() -> None:
    assert loads("ledger: {prefix: shop}\nstores: {embedded_dir: 'file:x'}", "c", {}).stores.embedded_dir == "file:x"


@pytest.mark.parametrize(
    ("content", "complaint"), [(b" \n", "is empty"), (b"\xff" * 20, "isn't UTF-8"), (b"k" * 70_000, "too large")]
)
def test_a_file_that_holds_no_secret_is_a_problem(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "key").write_bytes(content)
    configuration = write(tmp_path, "c.yaml", ONE_KEY.format(secret="file:key"))
    with pytest.raises(ConfigurationError, match=f"3:13: keys.0..secret: .*{complaint}"):
        load(configuration, {})


def test_a_secret_file_that_everyone_can_read_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "key", SECRET, mode=0o444)
    configuration = write(tmp_path, "c.yaml", ONE_KEY.format(secret="file:key"))
    report = inspect(configuration, {})
    assert report.settings is not None
    assert [warning.where for warning in report.warnings] == ["keys[0].secret"]
    assert "can be read by every user" in report.warnings[0].what


def test_an_unset_variable_is_a_problem_where_it_stands_and_no_other() -> None:
    with pytest.raises(ConfigurationError) as raised:
        loads(ONE_KEY.format(secret="${KEY}"), "c.yaml", {"OTHER": "x"})
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.where) == (3, 13, "keys[0].secret")
    assert "KEY isn't set" in problem.what


def test_a_variable_that_is_no_text_is_a_problem() -> None:
    with pytest.raises(ConfigurationError, match="no text"):
        loads("stores: {redis: '${URL}'}", "c.yaml", {"URL": "redis://\udcff"})


def test_a_bad_url_from_the_environment_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as raised:
        loads("stores: {redis: '${URL}'}", "c.yaml", {"URL": "reddis://:hunter2@cache"})
    assert "hunter2" not in str(raised.value)


def test_nothing_that_is_shown_holds_a_secret() -> None:
    text = "stores: {redis: '${URL}', broker: 'amqp://a:${WORD}@b'}\n" + ONE_KEY.format(secret="${KEY}")
    settings = loads(text, "c.yaml", {"URL": "redis://:hunter2@cache", "WORD": "hunter3", "KEY": SECRET})
    for shown in (show(settings), repr(settings), str(settings), repr(settings.stores), settings.model_dump_json()):
        assert "hunter" not in shown
        assert SECRET not in shown


def test_a_traceback_of_a_problem_holds_no_secret() -> None:
    with pytest.raises(ConfigurationError) as raised:
        loads(ONE_KEY.format(secret=SECRET) + "x: [", "c.yaml", {})
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
