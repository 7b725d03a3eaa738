"""A program of the site that ends by itself ends the demo, with the last of its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo.programs import OldShop, expect_running, run_command
from demo.site import Home
from demo.trouble import DemoFailed
from stack import eventually


def test_a_running_program_is_no_trouble(tmp_path: Path) -> None:
    with OldShop(Home(tmp_path)) as shop:
        expect_running([shop])


def test_a_program_that_ended_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with OldShop(Home(tmp_path)) as shop:
        shop.kill()
        eventually(lambda: not shop.running)
        with pytest.raises(DemoFailed, match="shop ended by itself") as failure:
            expect_running([shop])
    assert "the old shop is open" in str(failure.value)


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.write_text("stores: {redis: nonsense}\n")
    with pytest.raises(DemoFailed, match="migrate exited with 78") as failure:
        run_command(home, "migrate")
    assert "stores" in failure.value.log
