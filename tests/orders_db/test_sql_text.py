"""The scanner finds parameters and statement ends, and touches nothing else."""

from __future__ import annotations

import pytest

from seckill_sidecar.adapters.orders_db.sql_text import MYSQL, SQLITE, SqlTextError, Syntax

BOTH = [MYSQL, SQLITE]


def marked(syntax: Syntax, sql: str) -> str:
    return syntax.rewrite(sql, parameter=lambda name: f"<{name}>", rest=lambda text: text.replace("%", "%%"))


@pytest.mark.parametrize("syntax", BOTH)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("VALUES (:a, :b)", "VALUES (<a>, <b>)"),
        ("x=:a", "x=<a>"),
        (":a:b", "<a>:b"),
        ("':a' \":a\" `:a` :a", "':a' \":a\" `:a` <a>"),
        ("'it''s :a' :a", "'it''s :a' <a>"),
        ("-- :a it's\n:a", "-- :a it's\n<a>"),
        ("/* :a ' \n */ :a", "/* :a ' \n */ <a>"),
        ("a::text :a", "a::text <a>"),
        ("@n := :a", "@n := <a>"),
        ("12:30 :1 : a", "12:30 :1 : a"),
        ("LIKE '%x%' AND y % :a", "LIKE '%%x%%' AND y %% <a>"),
        ("名:é :a", "名:é <a>"),
        ("", ""),
    ],
)
def test_only_parameters_outside_of_text_are_taken(syntax: Syntax, sql: str, expected: str) -> None:
    assert marked(syntax, sql) == expected


@pytest.mark.parametrize(
    ("sql", "mysql", "sqlite"),
    [
        (r"'\' :a ' :a", r"'\' :a ' <a>", None),
        ("'\\' || :a || '\\'", None, "'\\' || <a> || '\\'"),
        ("# :a\n:a", "# :a\n<a>", "# <a>\n<a>"),
        ("5--:a", "5--<a>", "5--:a"),
        ("[:a] :a", "[<a>] <a>", "[:a] <a>"),
    ],
)
def test_each_kind_of_database_quotes_in_its_own_way(sql: str, mysql: str | None, sqlite: str | None) -> None:
    for syntax, expected in (MYSQL, mysql), (SQLITE, sqlite):
        if expected is not None:
            assert marked(syntax, sql) == expected


@pytest.mark.parametrize("syntax", BOTH)
@pytest.mark.parametrize("sql", ["'", "x ' y", "/* x", '"', "`x"])
def test_what_is_never_closed_is_refused(syntax: Syntax, sql: str) -> None:
    with pytest.raises(SqlTextError, match="never closed"):
        marked(syntax, sql)


@pytest.mark.parametrize("syntax", BOTH)
def test_a_script_is_split_at_its_semicolons_only(syntax: Syntax) -> None:
    script = "-- one; two\nSELECT ';' ; /* ; */\n\nINSERT :a\n; -- end;\n"
    assert syntax.split(script) == ["SELECT ';'", "INSERT :a"]
    assert syntax.split("/*! SET x */; SELECT 1") == ["/*! SET x */", "SELECT 1"]
