"""The demo's comparison finds every fault that is planted in it, and none where there is none."""

from __future__ import annotations

import json
from dataclasses import replace

from demo.answers import Answer
from demo.check import find_faults
from demo.report import Result, json_line, table
from demo_books import PLAN, faults, flawless, order, refused, row, told, with_ledger, won


def test_a_flawless_sale_has_no_faults() -> None:
    assert faults(flawless()) == {}


def test_a_told_order_that_is_not_in_the_database_is_lost() -> None:
    books = replace(flawless(), database=[row(1), row(2)])
    assert faults(books) == {"lost": 1}


def test_a_told_order_that_was_parked_is_not_lost() -> None:
    books = replace(flawless(), database=[row(1), row(2)], parked=frozenset({order(3)}))
    assert faults(books) == {}


def test_an_order_that_is_parked_and_written_is_a_mismatch() -> None:
    books = replace(flawless(), parked=frozenset({order(3)}))
    assert faults(books) == {"mismatch": 1}


def test_a_second_row_of_an_order_is_a_duplicate() -> None:
    books = replace(flawless(), database=[row(1), row(2), row(3), row(3), row(3)])
    assert faults(books) == {"duplicated": 2}


def test_two_orders_under_one_idempotency_key_are_a_duplicate() -> None:
    again = told(6, "buyer-1", Answer("accepted", order=order(9), source="gate"), "k")
    books = flawless()
    books = replace(books, told=[*books.told[:5], again], database=[*books.database, row(9, "buyer-1")])
    assert faults(books)["duplicated"] == 1


def test_a_row_that_belongs_to_no_sale_is_a_mismatch() -> None:
    books = replace(flawless(), database=[row(1), row(2), row(3), row(7, item="another")])
    assert faults(books)["mismatch"] == 1


def test_an_order_written_for_another_buyer_is_a_mismatch() -> None:
    books = replace(flawless(), database=[row(1), row(2), row(3, buyer="buyer-4")])
    assert faults(books) == {"mismatch": 1}


def test_an_order_written_with_another_quantity_is_a_mismatch() -> None:
    books = replace(flawless(), shop=[row(1), row(2), row(3, quantity=2)])
    assert faults(books) == {"mismatch": 1}


def test_units_beyond_the_stock_in_the_database_are_oversold() -> None:
    books = replace(flawless(), database=[row(no) for no in (1, 2, 3, 8, 9)])
    assert faults(books)["oversold"] == 2


def test_units_beyond_the_stock_in_the_ledger_are_oversold() -> None:
    books = with_ledger(flawless(), [row(1), row(2), row(3), row(8)])
    assert faults(books)["oversold"] == 1


def test_units_beyond_the_stock_that_buyers_were_told_of_are_oversold() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:3], won(4), won(5), books.told[5]])
    assert faults(books)["oversold"] == 2


def test_an_order_that_the_ledger_does_not_have_is_a_mismatch() -> None:
    found = find_faults(PLAN, with_ledger(flawless(), [row(1), row(2)], free=1))
    assert any("the ledger does not have it" in finding.what for finding in found)


def test_an_order_that_nobody_was_told_of_is_a_mismatch() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:2], refused(3, "unavailable"), *books.told[3:]])
    assert faults(books) == {"mismatch": 1}


def test_units_that_vanished_from_the_ledger_are_a_mismatch() -> None:
    books = flawless()
    books = replace(books, ledger=replace(books.ledger, total=4), told=books.told)
    assert faults(books) == {"mismatch": 1}


def test_an_order_told_to_two_buyers_is_a_mismatch() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:3], won(4, order_no=3), *books.told[4:]])
    assert faults(books) == {"mismatch": 1}


def test_two_orders_of_one_buyer_are_a_mismatch() -> None:
    rows = [row(1), row(2), row(3, buyer="buyer-2")]
    assert any("has 2 orders" in finding.what for finding in find_faults(PLAN, with_ledger(flawless(), rows)))


def test_an_order_that_the_shops_page_confirmed_and_the_shop_does_not_have_is_a_mismatch() -> None:
    books = replace(flawless(), shop=[row(1), row(2)])
    assert faults(books) == {"mismatch": 1}


def test_an_order_that_the_gate_confirmed_alone_need_not_be_in_the_shop() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:2], won(3, source="gate"), *books.told[3:]], shop=[row(1), row(2)])
    assert faults(books) == {}


def test_sold_out_is_untrue_while_units_are_free() -> None:
    books = with_ledger(replace(flawless(), told=flawless().told), flawless().ledger.rows, free=1)
    books = replace(books, ledger=replace(books.ledger, total=4))
    assert faults(books, replace(PLAN, stock=4)) == {"mismatch": 2}


def test_limit_reached_is_untrue_for_a_buyer_without_an_order() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:4], refused(5, "limit_reached"), books.told[5]])
    assert faults(books) == {"mismatch": 1}


def test_a_sound_request_called_invalid_is_untrue() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:4], refused(5, "invalid"), books.told[5]])
    assert faults(books) == {"mismatch": 1}


def test_a_broken_connection_is_an_error() -> None:
    books = flawless()
    books = replace(books, told=[*books.told[:4], told(5, "buyer-5", Answer(fault="reset")), books.told[5]])
    assert faults(books) == {"mismatch": 1}


def test_a_request_without_a_recorded_answer_is_an_error() -> None:
    books = flawless()
    assert faults(replace(books, told=books.told[:5])) == {"mismatch": 1}


def test_the_json_line_counts_what_was_found() -> None:
    books = replace(flawless(), database=[row(1), row(2), row(2)])
    result = Result(PLAN, books, find_faults(PLAN, books), wall_s=2.0)
    assert json.loads(json_line(result)) == {
        "requests": 6,
        "stock": 3,
        "accepted": 3,
        "refused": {"sold_out": 2},
        "errors": 0,
        "written": 2,
        "lost": 1,
        "duplicated": 1,
        "oversold": 0,
        "wall_s": 2.0,
        "requests_per_s": 3.0,
        "stack": "embedded",
    }


def test_the_table_names_the_order_that_differs() -> None:
    books = replace(flawless(), database=[row(1), row(2)])
    assert f"lost       {order(3)}" in table(Result(PLAN, books, find_faults(PLAN, books), wall_s=2.0))
