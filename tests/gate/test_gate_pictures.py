"""Pictures are drawn ahead: so many, renewed at one pace, however many ask."""

from __future__ import annotations

import itertools
import subprocess
import sys

from stack import eventually

from seckill_sidecar.adapters.challenges import drawn_pictures
from seckill_sidecar.adapters.challenges.drawing import ALPHABET, Pool
from seckill_sidecar.clock import ManualClock, SystemClock
from seckill_sidecar.settings.challenges import ImageSettings


def pool_of(size: int) -> Pool:
    numbers = itertools.count()
    settings = ImageSettings.model_validate({"pool": size, "age": "1m"})
    return Pool(settings, ManualClock(), lambda _: b"%d" % next(numbers))


def test_the_pool_keeps_so_many_and_the_oldest_goes() -> None:
    pool = pool_of(4)
    assert pool.pick() is None
    for _ in range(10):
        pool.renew()
    shown = {pool.pick().png for _ in range(500)}  # type: ignore[union-attr]
    assert shown <= {b"6", b"7", b"8", b"9"}
    assert len(shown) > 1


def test_all_pictures_are_drawn_anew_within_their_age() -> None:
    pool = pool_of(4)
    assert pool.pause < 1
    for _ in range(4):
        pool.renew()
    assert pool.pause == 15.0


def test_answers_have_no_characters_that_look_like_others() -> None:
    pool = pool_of(1000)
    for _ in range(1000):
        pool.renew()
    answers = {picture.answer for picture in pool._pictures}
    assert len(answers) > 990
    assert set().union(*answers) == set(ALPHABET)
    assert not set(ALPHABET) & set("0OQ1IL2Z5S6G8B")
    assert {len(answer) for answer in answers} == {5}


def test_pictures_are_drawn_in_the_background() -> None:
    pictures = drawn_pictures(ImageSettings.model_validate({"pool": 4}), SystemClock())
    picture = eventually(pictures.pick, 30, "a picture is drawn")
    assert picture.png.startswith(b"\x89PNG")
    assert len(picture.png) < 30_000


FORKED = """
import os
from seckill_sidecar.adapters.challenges import drawn_pictures
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.settings.challenges import ImageSettings
pictures = drawn_pictures(ImageSettings.model_validate({"pool": 1000}), SystemClock())
while len(pictures._pictures) < 2: SystemClock().sleep(0.02)
if os.fork() == 0:
    before = len(pictures._pictures)
    while len(pictures._pictures) <= before: SystemClock().sleep(0.02)
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_process_draws_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], timeout=60, check=False)
    assert done.returncode == 0
