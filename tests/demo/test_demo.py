"""The demo from start to end, on the bundled stores, as ``make demo`` runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from demo.check import find_faults
from demo.line import Line
from demo.main import play_sale, read_books
from demo.plan import Plan
from demo.report import Result, json_line
from demo.stacks import open_site
from stack import eventually

DEMO = Path(__file__).resolve().parents[2] / "contrib" / "demo"
KEYS = {
    *("requests", "stock", "accepted", "refused", "errors", "written"),
    *("lost", "duplicated", "oversold", "wall_s", "requests_per_s", "stack"),
}


class Played:
    """One run of the demo, its temporary files in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._errors = folder / "stderr"
        self._process: subprocess.Popen[str] | None = None

    def start(self, **variables: str) -> None:
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(DEMO)],
                env={**os.environ, "TMPDIR": str(self.temporary), **variables},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def finish(self) -> str:
        """Wait for its end; return its standard output."""
        out, _ = self.process.communicate(timeout=120)
        return out

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    @property
    def said(self) -> str:
        """Its standard error so far."""
        return self._errors.read_text()

    def end(self) -> None:
        """Stop it if it still runs."""
        if self._process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=60)


@pytest.fixture
def demo() -> Iterator[Played]:
    # A short name, as the bundled Valkey's UNIX socket will be in it.
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    played = Played(folder)
    yield played
    played.end()
    shutil.rmtree(folder)


def expect_nothing_left(demo: Played) -> None:
    assert not list(demo.temporary.iterdir())
    assert not processes_naming(demo.temporary)


def processes_naming(folder: Path) -> list[str]:
    """Command lines of running processes that name the folder."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return [line for line in lines if str(folder) in line]


def last_line(out: str) -> dict[str, Any]:
    result = json.loads(out.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def test_a_sale_ends_flawless_with_its_json_line(demo: Played) -> None:
    demo.start(REQUESTS="400", BUYERS="100", STOCK="25")
    out = demo.finish()
    assert demo.returncode == 0, out + demo.said
    result = last_line(out)
    assert result.keys() == KEYS
    assert (result["requests"], result["stock"], result["stack"]) == (400, 25, "embedded")
    assert result["accepted"] == result["written"] == 25
    assert [result[name] for name in ("errors", "lost", "duplicated", "oversold")] == [0, 0, 0, 0]
    expect_nothing_left(demo)


def test_an_interrupt_in_mid_sale_stops_everything(demo: Played) -> None:
    demo.start(REQUESTS="100000")
    eventually(lambda: "answered" in demo.said, within=60, what="the sale is on")
    demo.process.send_signal(signal.SIGINT)
    demo.finish()
    assert demo.returncode == 130
    expect_nothing_left(demo)


def test_kept_running_it_tells_where_the_shop_is_until_it_is_told_to_end(demo: Played) -> None:
    demo.start(REQUESTS="50", BUYERS="50", STOCK="5", KEEP="1")
    found = eventually(lambda: re.search(r"open at http://([0-9.]+):([0-9]+)/", demo.said), within=60)
    assert found
    with closing(Line((found[1], int(found[2])))) as line:
        assert line.ask("GET", "/").status == 200
    demo.process.send_signal(signal.SIGTERM)
    assert last_line(demo.finish())["accepted"] == 5
    assert demo.returncode == 0
    expect_nothing_left(demo)


def test_a_variable_that_can_not_be_used_is_named(demo: Played) -> None:
    demo.start(REQUESTS="lots")
    demo.finish()
    assert demo.returncode == 1
    assert "REQUESTS=lots" in demo.said
    assert "Traceback" not in demo.said


def test_a_row_that_vanished_from_the_database_is_found_and_a_large_stock_is_never_sold_out(demo: Played) -> None:
    plan = Plan(requests=60, buyers=30, stock=50, connections=4)
    with open_site(plan, demo.temporary) as site:
        sale, wall_s = play_sale(plan, site)
        with closing(sqlite3.connect(demo.temporary / "seckill.db")) as db, db:
            db.execute("DELETE FROM seckill_orders WHERE seq = 1")
        books = read_books(site, sale)
    result = json.loads(json_line(Result(plan, books, find_faults(plan, books), wall_s)))
    assert (result["accepted"], result["written"], result["lost"], result["errors"]) == (30, 29, 1, 0)
    assert "sold_out" not in result["refused"]
