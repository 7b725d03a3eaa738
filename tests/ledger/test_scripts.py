"""The scripts' headers are true, and their keys share one slot of a Cluster."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from ledger_words import PREFIX, Sale

from seckill_sidecar.adapters.ledger import Keys, replies, scripts
from seckill_sidecar.adapters.ledger.scripts import Script
from seckill_sidecar.errors import LedgerUntrusted, UsageError
from seckill_sidecar.model import Event, EventKind, Order, Purchase, State, Verdict

pytestmark = pytest.mark.gevent_too

each_script = pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
PURCHASE = Purchase("sneaker~01JD8Z5V0N3Q6W9X2Y4T7R1KGM", "sneaker", "an{n}", 1, "k{x}", "10.0.0.1")


def header(script: Script) -> list[str]:
    """The comment lines at the top, without their dashes."""
    lines = script.source.splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return [line.removeprefix("--").strip() for line in lines[:end]]


def named(script: Script, kind: str) -> list[tuple[int, str]]:
    """The numbers and names that the header gives: ``KEYS[1] item …``."""
    found = (re.match(rf"{kind}\[(\d+)\] +(\w+)", line) for line in header(script))
    return [(int(match[1]), match[2]) for match in found if match]


def returned(script: Script) -> set[str]:
    """First words of what the header says it returns."""
    text = "\n".join(header(script)).split("Returns")[1]
    return set(re.findall(r"\{'(\w+)'", text))


def body(script: Script) -> str:
    """The script without its comments."""
    return re.sub(r"--.*", "", script.source)


def test_there_is_a_script_for_each_file_and_the_other_way_round() -> None:
    files = {path.name.removesuffix(".lua") for path in resources.files("seckill_sidecar.lua").iterdir()}
    assert {script.name for script in scripts.ALL} == {name for name in files if not name.startswith("__")}


@each_script
def test_a_script_opens_so_that_redis_refuses_it_when_memory_is_out(script: Script) -> None:
    assert script.source.splitlines()[0].split() in (["#!lua"], ["#!lua", "flags=no-writes"])


@each_script
def test_the_header_names_what_the_script_is_called_with_in_order(script: Script) -> None:
    assert named(script, "KEYS") == list(enumerate(script.keys, 1))
    assert named(script, "ARGV") == list(enumerate(script.argv, 1))


@each_script
def test_the_script_uses_every_key_and_argument_that_it_is_given(script: Script) -> None:
    for kind, names in (("KEYS", script.keys), ("ARGV", script.argv)):
        used = {int(number) for number in re.findall(rf"{kind}\[(\d+)\]", body(script))}
        assert used <= set(range(1, len(names) + 1))


@each_script
def test_the_header_lists_every_answer_that_the_script_gives(script: Script) -> None:
    assert set(re.findall(r"(?:return|problem =) \{'(\w+)'", body(script))) <= returned(script)


def test_the_start_up_check_asks_for_every_command_that_the_scripts_run() -> None:
    used = {name for script in scripts.ALL for name in re.findall(r"redis\.call\('(\w+)'", script.source)}
    asked = set(re.findall(r"'([A-Z]+)'", body(scripts.PERMITTED)))
    assert asked == used


@each_script
def test_no_script_spells_a_key_name(script: Script) -> None:
    assert "seckill" not in body(script)
    assert not re.search(r"redis\.p?call\('\w+', *['\"]", body(script))


ANSWERS = {
    "accepted": [b"accepted", b"id", b"1-0", b"{}"],
    "replayed": [b"replayed", b"id", b"{}", 1],
    "sold_out": [b"sold_out", 3],
    "limit_reached": [b"limit_reached", b"buyer", 1, 2],
    "not_admitted": [b"not_admitted", b"used"],
    "not_open": [b"not_open", 1500],
    "rate_limited": [b"rate_limited", b"buyer", 20],
    "unavailable": [b"unavailable", b"because"],
}


@pytest.mark.parametrize("word", sorted(returned(scripts.RESERVE)))
def test_every_answer_of_reserve_is_read(word: str) -> None:
    reply = ANSWERS.get(word, [word.encode()])
    if word in ("accepted", "replayed"):  # what they carry is no order here
        with pytest.raises(LedgerUntrusted):
            replies.read_decision("sneaker", reply)
    else:
        assert replies.read_decision("sneaker", reply).verdict is Verdict(word)


RECORD = b'{"buyer":"ann","quantity":1,"seq":1,"state":"paid","at":1,"due":2,"no":2}'
EVENT = Event(EventKind.PAID, 2, Order(PURCHASE.order_id, "sneaker", 1, 1, "ann", 1, State.PAID, 1, 2), 5, 3).encode()
SETTLED = {
    "settled": [b"settled", RECORD, 1, b"1-0", EVENT],
    "late": [b"late", RECORD, 1, b"1-0", EVENT],
    "already": [b"already", RECORD, 1],
    "refused": [b"refused", RECORD, 1],
}


@pytest.mark.parametrize("word", sorted(returned(scripts.SETTLE) - {"unavailable"}))
def test_every_answer_of_settle_is_read(word: str) -> None:
    settled = replies.read_settled("sneaker", PURCHASE.order_id, SETTLED.get(word, [word.encode()]))
    assert (settled.order is not None) is (word in SETTLED)


@pytest.mark.parametrize(
    "reply",
    [[], [b"maybe"], [b"sold_out"], [b"sold_out", b"x"], [b"accepted"], [5], [None], [b"\xff"], [b"closed", 1], b"x"],
)
def test_an_answer_that_nobody_foresaw_is_no_verdict(reply: list[object]) -> None:
    with pytest.raises(LedgerUntrusted):
        replies.read_decision("sneaker", reply)
    with pytest.raises(LedgerUntrusted):
        replies.read_settled("sneaker", PURCHASE.order_id, reply)


def test_every_answer_of_load_is_read(sale: Sale) -> None:
    assert returned(scripts.LOAD) == {"done", "older", "has_orders", "has_holds", "unknown_item", "unavailable"}
    with pytest.raises(UsageError):
        sale.add(1)


# -- key names ---------------------------------------------------------------------------------------


def all_keys_of(purchase: Purchase) -> list[str]:
    keys = Keys(PREFIX)
    parts = {part for script in scripts.ALL for part in script.keys if not part.startswith("rate")}
    return [*(keys.of(purchase.item, part) for part in parts), keys.rate_buyer(purchase), keys.rate_address(purchase)]


def test_all_keys_of_an_item_are_in_one_slot_of_a_cluster(redis_url: str) -> None:
    sale = Sale(redis_url)
    names = all_keys_of(PURCHASE)
    assert {slot(name) for name in names} == {slot("sneaker")}
    assert len(set(names)) == len(names)
    sale.close()


def test_no_two_items_buyers_or_addresses_share_a_key() -> None:
    others = [
        PURCHASE,
        Purchase(PURCHASE.order_id, "sneaker", "10.0.0.1", 1, address="an{n}"),
        Purchase(PURCHASE.order_id, "boot", "an{n}", 1, address="10.0.0.1"),
    ]
    keys = Keys(PREFIX)
    names = [name(purchase) for purchase in others for name in (keys.rate_buyer, keys.rate_address)]
    assert len(set(names)) == len(names)


def slot(key: str) -> int:
    """The Cluster's slot of a key: CRC16 (XMODEM) of its hash tag, modulo 16384, as its specification has it."""
    tag = re.search(r"\{([^}]+)\}", key)
    crc = 0
    for byte in (tag[1] if tag else key).encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc % 16384


def test_the_slot_is_computed_as_the_specification_says() -> None:
    assert slot("123456789") == 0x31C3
