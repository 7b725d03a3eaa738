"""``seckill-sidecar eligible``: lists made from files of any kind, and what is wrong with them said in a line."""

from __future__ import annotations

import pytest
from cli_words import Home, expect_one_line
from stack import Redis

from seckill_sidecar.adapters.invited_list import read_list


@pytest.fixture
def party(home: Home, redis_url: str) -> Home:
    """One item for invited buyers, one for everybody."""
    items = [{"sku": "vip", "total": 5, "eligible": f"{home.folder}/vip.invited"}, {"sku": "kettle", "total": 5}]
    return home.configure(redis=redis_url, items=items)


def ids(home: Home, content: bytes) -> str:
    path = home.folder / "ids.txt"
    path.write_bytes(content)
    return str(path)


def holds(home: Home, *buyers: str) -> bool:
    made = read_list(f"{home.folder}/vip.invited", "vip")
    return all(made.seat(buyer) is not None for buyer in buyers)


def test_a_list_is_made_and_shown(party: Home) -> None:
    done = party.run("eligible", "load", "vip", "--from", ids(party, "ann\nbob\nZoë\n".encode()))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("vip is for 3 buyers: list ")
    assert holds(party, "ann", "bob", "Zoë")
    shown = party.run("eligible", "show")
    assert shown.code == 0
    assert shown.out.startswith("vip  3 buyers: list ")
    assert party.run("eligible", "show", "vip").out == shown.out


def test_lines_may_end_as_they_like_and_names_may_hold_blanks(party: Home) -> None:
    content = "\ufeffann\r\n\r\n bob \nno line end".encode()
    assert party.run("eligible", "load", "vip", "--from", ids(party, content)).out.startswith("vip is for 3 buyers: ")
    assert holds(party, "ann", " bob ", "no line end")


def test_who_is_named_twice_is_counted_once(party: Home) -> None:
    done = party.run("eligible", "load", "vip", "--from", ids(party, b"ann\nbob\nann\n"))
    assert "vip is for 2 buyers (1 named twice): list" in done.out


def test_no_name_is_kept(party: Home, redis_server: Redis) -> None:
    assert party.run("eligible", "load", "vip", "--from", ids(party, b"somebody-in-particular\n")).code == 0
    assert b"somebody" not in (party.folder / "vip.invited").read_bytes()
    assert not any(b"somebody" in path.read_bytes() for path in redis_server.folder.rglob("*.aof"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "names 0 buyers"),
        (b"\n\r\n", "names 0 buyers"),
        (b"ann\nb\x00b\n", "line 2: this is no buyer's name"),
        (b"ann\n" + b"x" * 256 + b"\n", "line 2: this is no buyer's name"),
        (b"x" * 5000, "line 1: this is no buyer's name"),
        (b"ann\nb\xffb\n", "is not UTF-8"),
    ],
)
def test_a_file_of_something_else_makes_no_list(party: Home, content: bytes, why: str) -> None:
    expect_one_line(party.run("eligible", "load", "vip", "--from", ids(party, content)), 2, why)
    assert not (party.folder / "vip.invited").exists()


def test_what_can_not_be_read_or_is_for_everybody_is_said(party: Home) -> None:
    expect_one_line(
        party.run("eligible", "load", "vip", "--from", f"{party.folder}/none"), 2, "can't be read", "No such"
    )
    expect_one_line(party.run("eligible", "load", "kettle", "--from", "x"), 2, "'kettle' is for everybody", "eligible:")
    expect_one_line(party.run("eligible", "show", "teapot"), 2, "'teapot' is for everybody")


def test_a_list_that_can_not_be_used_is_shown_with_what_to_do(party: Home) -> None:
    missing = party.run("eligible", "show")
    assert missing.code == 1
    assert "can't be read: No such file" in missing.out
    party.run("eligible", "load", "vip", "--from", ids(party, b"ann\n"))
    path = party.folder / "vip.invited"
    sound = path.read_bytes()
    path.write_bytes(sound[:-2])
    damaged = party.run("eligible", "show")
    assert (damaged.code, "is damaged" in damaged.out, "eligible load vip" in damaged.out) == (1, True, True)
    path.write_bytes(sound)
    assert party.run("eligible", "show").code == 0


def test_a_ledger_without_the_list_is_shown_and_one_that_is_away_is_told(party: Home) -> None:
    party.run("eligible", "load", "vip", "--from", ids(party, b"ann\n"))
    items = party.settings["items"]
    party.configure(redis=party.settings["stores"]["redis"], items=items, ledger={"prefix": "another"})
    elsewhere = party.run("eligible", "show")
    assert (elsewhere.code, "the ledger does not have list" in elsewhere.out) == (1, True)
    party.configure(items=items)
    expect_one_line(party.run("eligible", "load", "vip", "--from", ids(party, b"ann\n")), 69, "ledger")


def test_where_no_item_has_a_list_that_is_said(home: Home, redis_url: str) -> None:
    assert home.configure(redis=redis_url).run("eligible", "show").out == ("no item has a list: everybody may buy\n")


def test_a_folder_that_is_not_there_is_said(party: Home) -> None:
    items = [{"sku": "vip", "total": 5, "eligible": f"{party.folder}/nowhere/vip.invited"}]
    party.configure(redis=party.settings["stores"]["redis"], items=items)
    expect_one_line(
        party.run("eligible", "load", "vip", "--from", ids(party, b"ann\n")), 66, "nowhere", "make its folder"
    )
