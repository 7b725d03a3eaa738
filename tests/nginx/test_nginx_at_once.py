"""No more at the same moment than the sidecar can serve: nginx tells the others to come back, and asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo.line import Reply
from nginx_words import SHOP, SIDECAR, Front, site
from stack import eventually
from stack.scripted import Request, reply

LONGEST = 20.0


@contextmanager
def full_house(folder: Path, **sections: Any) -> Iterator[Front]:
    """A site that takes two purchases at once, while two are under way."""
    over = threading.Event()

    def takes_its_time(_: Request) -> bytes:
        over.wait(LONGEST)
        return reply(200, SIDECAR)

    with (
        site(folder, sidecar=takes_its_time, nginx={"at_once": 2}, **sections) as front,
        ThreadPoolExecutor(2) as pool,
    ):
        under_way: list[Future[Reply]] = [pool.submit(front.buy) for _ in range(2)]
        try:
            eventually(lambda: len(front.sidecar.requests) == 2, what="two are under way")
            yield front
        finally:
            over.set()
        assert [future.result().body for future in under_way] == [SIDECAR, SIDECAR]


@pytest.mark.parametrize("on_sidecar_down", ["busy", "storefront"])
def test_one_too_many_is_told_to_come_back_and_nobody_is_asked(tmp_path: Path, on_sidecar_down: str) -> None:
    with full_house(tmp_path, fallbacks={"on_sidecar_down": on_sidecar_down}) as front:
        told = [front.buy() for _ in range(20)]
        assert len(front.sidecar.requests) == 2
        assert not front.shop.requests
    assert {answer.status for answer in told} == {503}
    waits = {answer.header("retry-after") for answer in told}
    assert waits <= {"1", "2", "3"}
    assert len(waits) > 1
    assert all(b"this one bought nothing" in answer.body for answer in told)
    assert all(f'"retry_after": {answer.header("retry-after")}'.encode() in answer.body for answer in told)


def test_a_browser_gets_a_page(tmp_path: Path) -> None:
    with full_house(tmp_path) as front:
        assert front.buy(Accept="text/html").body.startswith(b"<!doctype html>")


def test_a_sidecar_that_hangs_up_is_another_matter(tmp_path: Path) -> None:
    with site(tmp_path, sidecar=lambda _: None, nginx={"at_once": 2}) as front:
        assert b"it is not known" in front.buy().body


def test_other_pages_are_not_held_up(tmp_path: Path) -> None:
    with full_house(tmp_path) as front:
        assert front.ask("GET", "/").body == SHOP
