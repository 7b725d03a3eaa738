"""nginx's own pages: in the buyer's language, in the site's looks; and which keyed purchases they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from nginx_words import SHOP, SIDECAR, site

PAGE = {"Accept": "text/html"}


def test_a_browser_is_answered_in_its_language(tmp_path: Path) -> None:
    with site(tmp_path) as front:
        front.mark("sold_out")
        said = {
            language: front.buy(**PAGE, Accept_Language=language).body.decode()
            for language in ("zh-CN,zh;q=0.9,en;q=0.8", "en-US,en;q=0.9,zh;q=0.8", "de-DE, ZH", "de", "xzh,zhx")
        }
        front.mark("not_open", "opens_in_60")
        early = front.buy(**PAGE, Accept_Language="zh")
    assert ['lang="zh"' in page for page in said.values()] == [True, False, True, False, False]
    assert "60 秒" in early.body.decode()
    assert early.header("retry-after") == "60"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"Idempotency_Key": "k"}, 200),
        ({"Idempotency_Key": "k", "Seckill_Try": "again"}, 200),
        ({"Idempotency_Key": "k", "Seckill_Try": "first"}, 409),
        ({"Idempotency_Key": "k", "Seckill_Try": "first", "Cookie": "seckill_order=x"}, 200),
        ({"Seckill_Try": "again"}, 409),
    ],
)
def test_a_key_that_is_new_belongs_to_no_order_yet(tmp_path: Path, fields: dict[str, str], answer: int) -> None:
    with site(tmp_path) as front:
        front.mark("sold_out")
        assert front.buy(**fields).status == answer


def test_what_is_sent_again_is_not_left_to_the_shop_when_the_sidecar_is_down(tmp_path: Path) -> None:
    with site(
        tmp_path, fallbacks={"on_sidecar_down": "storefront"}, serve={"listen": "unix:/nowhere/at/all.sock"}
    ) as front:
        first = front.buy(Seckill_Try="first", Idempotency_Key="k")
        again = front.buy(Seckill_Try="again", Idempotency_Key="k")
    assert (first.status, first.body) == (200, SHOP)
    assert again.status == 503
    assert b'"outcome": "unknown"' in again.body  # by which the script knows that it was no clear no


def test_a_sites_own_page_is_nginxs_too_however_long(tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    theme.mkdir()
    lines = "\n".join(f"<!-- '{number}' \\ {'ü' * 300} -->" for number in range(12))
    page = (
        f"<html lang='{{{{lang}}}}'>{{{{refresh}}}}<title>{{{{title}}}}</title>{{{{text}}}}{{{{more}}}}\n{lines}\nend\n"
    )
    (theme / "page.html").write_text(page)
    with site(tmp_path, pages={"folder": str(theme)}) as front:
        assert front.buy().body == SIDECAR
        front.mark("sold_out")
        shown = front.buy(**PAGE).body.decode()
    assert shown.splitlines()[1:] == page.splitlines()[1:]
    assert "<title>Sold out</title>" in shown
