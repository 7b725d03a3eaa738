"""The shop, the clocks, and the host itself; and how it is all told."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from doctor_words import Practice
from stack.scripted import Request, Scripted, answering, reply

from seckill_sidecar.cli import main
from seckill_sidecar.ops.doctor import host


def url(shop: Scripted) -> str:
    return "http://{}:{}".format(*shop.address)


def test_a_shop_that_refuses_the_unsigned_is_well(practice: Practice) -> None:
    with answering(lambda request: reply(403 if request.method == "POST" else 200, b"")) as shop:
        found = practice.examine(stores={"storefront": url(shop)})
    found.expect_nothing_to_mend("storefront")
    found.expect("ok", "storefront", "unsigned-buy", "answered 403")
    assert [request.path for request in shop.requests] == ["/", "/buy/seckill-probe"]


def test_a_shop_that_sells_past_the_gate_is_found(practice: Practice) -> None:
    routes = [
        {
            "name": "php",
            "path": "/index.php",
            "query": {"route": "checkout/confirm"},
            "item": {"form": "product_id"},
            "host": "shop.test",
        },
        {"name": "fixed", "path": "/landing", "item": "kettle"},
        {"name": "api", "path": "/api/buy", "item": {"json": "sku"}, "on_accept": "json"},
    ]
    with answering(lambda _: reply(302, b"", "text/plain", "Location: /thanks")) as shop:
        found = practice.examine(stores={"storefront": url(shop)}, routes=routes)
    found.expect("warn", "storefront", "unsigned-php", "without our signature is answered 302")
    found.expect("skipped", "storefront", "unsigned-fixed")
    bought = shop.requests[-1]
    assert (bought.path, bought.headers["host"]) == ("/index.php?route=checkout%2Fconfirm", "shop.test")
    assert (bought.body, len(shop.requests)) == (b"product_id=seckill-probe", 2)


def test_a_shop_that_is_not_there_is_found(practice: Practice) -> None:
    found = practice.examine(stores={"storefront": "http://127.0.0.1:1"})
    found.expect("fail", "storefront", "reachable", "does not answer")


def test_a_shop_that_fails_is_found(practice: Practice) -> None:
    with answering(lambda _: reply(500, b"")) as shop:
        practice.examine(stores={"storefront": url(shop)}).expect("warn", "storefront", "reachable", "500")


def test_a_shop_whose_clock_is_behind_is_found(practice: Practice) -> None:
    def late(_: Request) -> bytes:
        return reply(200, b"", "text/plain", f"Date: {formatdate(time() - 120, usegmt=True)}")

    with answering(late) as shop:
        found = practice.examine(stores={"storefront": url(shop)})
    found.expect("fail", "clocks", "storefront", "s behind this host")


# -- the host


@pytest.fixture
def few_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
def test_too_few_open_files_are_found(practice: Practice) -> None:
    practice.examine().expect("warn", "host", "open-files", "LimitNOFILE=11128")


@pytest.mark.parametrize(("free", "level"), [(1 << 20, "FAIL"), (32 << 20, "WARN"), (1 << 30, "OK")])
def test_a_full_disk_is_found(practice: Practice, tmp_path: Path, free: int, level: str) -> None:
    settings = practice.settings(shield={"enabled": True, "folder": f"{tmp_path}/run/shield"})
    real = os.statvfs(tmp_path)

    def statvfs(_: str) -> os.statvfs_result:
        full = list(real)
        full[1], full[4] = 1, free  # of one byte each, so many are free
        return os.statvfs_result(full)

    told = {finding.check: finding.level.name for finding in host.judge_disk(settings, statvfs)}
    assert told == {"disk-database": level, "disk-folder": level}


# -- how it is told


def test_people_get_a_line_each_and_what_to_do(practice: Practice, capsys: pytest.CaptureFixture[str]) -> None:
    practice.settings()
    assert main(["doctor", "-c", str(practice.config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["FAIL", "redis", "reachable"]
    assert lines[1].split()[:2] == ["→", "start"]
    assert lines[-1].endswith(" ok")
    assert "2 fail" in lines[-1]


def test_programs_get_one_object_and_warnings_have_a_code_of_their_own(practice: Practice, redis_url: str) -> None:
    practice.migrate()
    redis = {"redis": redis_url}
    assert practice.examine(stores=redis).code == 0
    with answering(lambda _: reply(500, b"")) as shop:
        assert practice.examine(stores=redis | {"storefront": url(shop)}).code == 3


def test_the_embedded_stores_are_well(practice: Practice) -> None:
    stores = {"redis": "embedded", "embedded_dir": str(practice.folder / "embedded")}
    practice.migrate(stores=stores)
    practice.examine(stores=stores).expect_nothing_to_mend()
