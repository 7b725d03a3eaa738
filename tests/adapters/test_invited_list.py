"""The file of invited buyers: whole or not believed, the same for every process and version, and without names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seckill_sidecar.adapters.invited_list import BloomList, read_list, version_of
from seckill_sidecar.errors import UnusableList
from seckill_sidecar.ports import Generation, Seat

SALT = bytes(range(16))
BUYERS = [f"buyer-{no}" for no in range(2000)] + ["Zoë", "😀", "a" * 255, "with blank "]


def made(count: int = len(BUYERS), sku: str = "vip", name: str = "g1") -> BloomList:
    new = BloomList.new(sku, name, SALT, count)
    for buyer in BUYERS:
        new.add(buyer)
    return new


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vip.invited"
    assert made().write(str(path)) == path.stat().st_size
    return path


def test_everybody_who_was_added_is_found_at_the_seat_that_adding_told(file: Path) -> None:
    new, found = made(), read_list(str(file), "vip")
    assert found.generation == Generation("vip", "g1", 16, len(BUYERS))
    assert [found.seat(buyer) for buyer in BUYERS] == [new.add(buyer) for buyer in BUYERS]


def test_strangers_are_not_found_but_for_a_few(file: Path) -> None:
    found = read_list(str(file), "vip")
    strangers = [f"stranger-{no}" for no in range(20_000)]
    assert sum(found.seat(stranger) is not None for stranger in strangers) <= 40


def test_a_buyer_has_the_same_seat_for_ever() -> None:
    """Other processes, hosts and later versions read what was written today."""
    seats = [BloomList.new("vip", "g1", SALT, 1_000_000).add(buyer) for buyer in ("ann", "Zoë")]
    assert seats == [Seat("g1", 3384, -4821263245947378271), Seat("g1", 4969, 1959850436539418264)]


def test_another_process_reads_the_same(file: Path) -> None:
    program = (
        "from seckill_sidecar.adapters.invited_list import read_list\n"
        f"found = read_list({str(file)!r}, 'vip')\n"
        "print(found.seat('Zoë'), found.seat('stranger'))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == f"{read_list(str(file), 'vip').seat('Zoë')} None"


def test_one_that_may_not_be_read_says_whom_to_let(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # who tests may be root, who may read everything
    with pytest.raises(UnusableList, match="let the sidecar's user read it"):
        read_list(str(file), "vip")


def test_no_name_can_be_read_in_it(file: Path) -> None:
    content = file.read_bytes()
    assert not any(buyer.encode() in content for buyer in BUYERS)


def test_a_million_buyers_are_two_megabytes() -> None:
    assert len(BloomList.new("vip", "g1", SALT, 1_000_000)._bloom.save_bytes()) <= 2_500_000


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 1_000_000])
def test_buckets_hold_a_hundred_odd_on_average(count: int) -> None:
    buckets = BloomList.new("vip", "g1", SALT, count).generation.buckets
    assert buckets & (buckets - 1) == 0
    assert count / buckets <= 128


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("at", [0, 5, 20, 40, 100, 500, 2000, -33, -32, -1])
def test_one_bit_that_is_wrong_makes_all_of_it_worthless(file: Path, at: int) -> None:
    file.write_bytes(flipped(file.read_bytes(), at % file.stat().st_size))
    expect_unusable(file, "is damaged")


@pytest.mark.parametrize("length", [0, 1, 17, 18, 31, 32, 33, 50, 200, 3000, -1])
def test_so_does_a_missing_end(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    expect_unusable(file, "is damaged")


def test_so_do_bytes_that_were_appended(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")
    expect_unusable(file, "is damaged")


def test_the_list_of_another_item_is_not_taken(file: Path) -> None:
    expect_unusable(file, "is the list of vip, not of kettle", sku="kettle")


def test_a_file_that_is_not_there_or_a_folder_is_told_so(tmp_path: Path) -> None:
    expect_unusable(tmp_path / "none", "No such file")
    expect_unusable(tmp_path, "Is a directory")


def test_a_file_beyond_all_measure_is_not_read(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(300 * 2**20)  # sparse
    expect_unusable(file, "is larger")


def expect_unusable(path: Path, why: str, sku: str = "vip") -> None:
    """Nobody reads it, and whoever tries is told what to do."""
    with pytest.raises(UnusableList, match=f"{path} .*{why}.*seckill-sidecar eligible load {sku} --from FILE"):
        read_list(str(path), sku)


def test_another_file_has_another_version(file: Path) -> None:
    before = version_of(str(file))
    assert before == version_of(str(file))
    made(name="g2").write(str(file))
    assert version_of(str(file)) != before
    file.unlink()
    assert version_of(str(file)) is None


def test_what_can_not_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "vip.invited").mkdir()
    with pytest.raises(UnusableList, match="can't be written"):
        made().write(str(tmp_path / "vip.invited"))
    with pytest.raises(UnusableList, match="make its folder"):
        made().write(str(tmp_path / "nowhere" / "vip.invited"))
    assert [path.name for path in tmp_path.iterdir()] == ["vip.invited"]
