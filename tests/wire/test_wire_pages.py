"""Pages say what they are told to, in the language that is asked for, and nothing that a client could make them run."""

from __future__ import annotations

import pytest

from seckill_sidecar.settings.schema import PageSettings
from seckill_sidecar.settings.theme import theme_of
from seckill_sidecar.wire.pages import ENTRIES, WORDS, More, Pages

PAGES = Pages(theme_of(PageSettings()))


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US,en;q=0.9,zh;q=0.8", "en"), ("zh-Hant-TW", "zh"),
        ("en;q=0.2, zh;q=0.7", "zh"), ("de, zh;q=0.1", "zh"), ("de", "en"), ("*", "en"), ("zh;q=0, en", "en"),
        ("ZH", "zh"), ("zh;q=x", "en"), (";;,=", "en"), ("z" * 5000, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_is_wanted_most(asked: str, language: str) -> None:
    assert PAGES.language(asked) == language


def test_without_chinese_everybody_gets_the_first_language() -> None:
    pages = Pages(theme_of(PageSettings(languages=("en",))))
    assert pages.language("zh") == "en"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_page_is_whole_in_every_language(language: str, name: str) -> None:
    values = dict.fromkeys(ENTRIES[name], "7")
    page = PAGES.page(language, name, **values).decode()
    assert f'<html lang="{language}">' in page
    assert "{" not in page.partition("</style>")[2]
    assert page.count("<main>") == page.count("<h1>") == 1


def test_both_languages_have_the_same_words() -> None:
    en, zh = theme_of(PageSettings()).languages.values()
    entries = {f"{name}.{part}" for name in ENTRIES for part in ("title", "text")}
    assert set(en) == set(zh) == entries | {f"words.{word}" for word in WORDS}


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x>', "'onload='x", "{{title}}", "{wait}"])
def test_whatever_is_put_in_is_escaped(evil: str) -> None:
    order = PAGES.page("en", "held", More(link=f"/x?{evil}", refresh=3), order=evil, item=evil, quantity=1).decode()
    detail = PAGES.page("en", "invalid", More(detail=evil)).decode()
    for page in (order, detail):
        assert "<script>" not in page
        assert "<img" not in page
        assert "'onload" not in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "1 s"), (1.2, "2 s"), (119, "119 s"), (121, "3 min"), (7199, "120 min"), (90_000, "25 h")]
)
def test_a_wait_is_rounded_up(seconds: float, said: str) -> None:
    assert PAGES.wait("en", seconds) == said


def test_a_page_that_looks_again_says_so() -> None:
    page = PAGES.page("zh", "unknown", More(link="/seckill/orders/x?a=1&token=t", refresh=2)).decode()
    assert '<meta http-equiv="refresh" content="2;url=/seckill/orders/x?a=1&amp;token=t">' in page
    assert "本页会自动刷新" in page
