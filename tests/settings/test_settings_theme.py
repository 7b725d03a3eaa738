"""A site's own page and words: what is wrong with them is said with its place, and what is right is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import inspect
from seckill_sidecar.settings.schema import PageSettings
from seckill_sidecar.settings.theme import theme_of
from seckill_sidecar.wire.pages import Pages

PAGE = "<!doctype html>\n<html lang='{{lang}}'>{{refresh}}\n<title>{{title}}</title>\n<b>{{ text }}</b>{{more}}\n"


def problems(folder: Path, *languages: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        theme_of(PageSettings(folder=str(folder), languages=languages or ("en", "zh")))
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_a_sites_own_page_and_words_are_shown(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "zh.yaml").write_text("sold_out: {title: 没有了}\n")
    pages = Pages(theme_of(PageSettings(folder=str(tmp_path))))
    assert pages.page("zh", "sold_out").decode().splitlines()[2] == "<title>没有了</title>"
    assert pages.page("en", "sold_out").decode().splitlines()[2] == "<title>Sold out</title>"


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (PAGE.replace("{{more}}", ""), "page.html:1:1: page: has no {{more}}"),
        (PAGE + "{{titel}}", "page.html:5:1: page: has {{titel}}, which stands for nothing; did you mean {{title}}?"),
        (PAGE + "\n costs $5", "page.html:6:8: page: has a $"),
        (PAGE + "x" * 2000, "page.html:5:1: page: is longer than 1500 bytes"),
        (PAGE + "\n" * 20_000, "page.html:1:1: page: is larger than 16384 bytes"),
    ],
)
def test_a_broken_page_is_named_with_its_line(tmp_path: Path, page: str, problem: str) -> None:
    (tmp_path / "page.html").write_text(page)
    (found,) = problems(tmp_path)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("sold_out: {titel: Gone}\n", "en.yaml:1:19: sold_out.titel: is no text of the pages; did you mean sold_out.t"),
        ("sold_out: Gone\n", "en.yaml:1:11: sold_out: is no entry"),
        ("\nsold_out: {title: 7}\n", "en.yaml:2:19: sold_out.title: is no text; put it in quotes"),
        ('sold_out: {text: "{wait}"}\n', "en.yaml:1:18: sold_out.text: names {wait}, a value that it does not have"),
        ("sold_out: {title: a\n", "en.yaml:"),
        (f"sold_out: {{title: {'x' * 501}}}\n", "en.yaml:1:19: sold_out.title: is longer than 500 letters"),
    ],
)
def test_broken_words_are_named_with_their_line(tmp_path: Path, words: str, problem: str) -> None:
    (tmp_path / "en.yaml").write_text(words)
    (found,) = problems(tmp_path)
    assert found.startswith(problem)


def test_a_new_language_needs_every_entry(tmp_path: Path) -> None:
    (tmp_path / "fr.yaml").write_text("sold_out: {title: Épuisé, text: Plus rien.}\n")
    (found,) = problems(tmp_path, "en", "fr")
    assert "accepted.title" in found
    assert "a new language needs every entry" in found


def test_the_check_tells_of_a_broken_theme(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("nothing")
    (tmp_path / "site.yaml").write_text(f"pages:\n  folder: {tmp_path}\n")
    found = [str(problem) for problem in inspect(tmp_path / "site.yaml", {}).problems]
    assert len(found) == 5
    assert all(f"site.yaml:2:11: pages.folder: {tmp_path}/page.html:1:1: page: has no {{{{" in one for one in found)
