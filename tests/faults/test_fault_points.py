"""Fault points: nothing when unarmed, exactly what was said when armed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from seckill_sidecar import faults
from seckill_sidecar.errors import UsageError


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm({})


def run_to_the_end(fault: str, times: int) -> subprocess.CompletedProcess[str]:
    """Come by a point so many times, in a process of its own."""
    program = (
        "import os; from seckill_sidecar import faults; faults.arm(os.environ)\n"
        f"for no in range(1, {times} + 1): print(no, flush=True); faults.hit('after_reserve')"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, faults.VARIABLE: fault},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_unset_variable_leaves_the_empty_function_in_place() -> None:
    before = faults.hit
    faults.arm({})
    assert faults.hit is before
    assert all(faults.hit(point) is None for point in faults.POINTS)


def test_kill_ends_the_process_at_once_and_says_so_first() -> None:
    done = run_to_the_end("after_reserve:kill", 2)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "1\n")
    assert done.stderr == "fault point after_reserve:kill\n"


def test_a_number_picks_the_time() -> None:
    done = run_to_the_end("before_commit:kill, after_reserve:kill@3", 5)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "1\n2\n3\n")


def test_raise_is_an_error_that_nobody_foresees() -> None:
    faults.arm({faults.VARIABLE: "before_ack:raise@2"})
    faults.hit("before_ack")
    with pytest.raises(faults.InjectedFault, match="before_ack"):
        faults.hit("before_ack")
    faults.hit("before_ack")


def test_sleep_dawdles_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("seckill_sidecar.faults.time.sleep", slept.append)
    faults.arm({faults.VARIABLE: "before_publish:sleep=2s,after_publish:sleep=50ms"})
    for point in ("before_publish", "after_publish", "after_ack", "before_publish"):
        faults.hit(point)
    assert slept == [2.0, 0.05, 2.0]


@pytest.mark.parametrize(
    "wrong",
    ["after_lunch:kill", "after_reserve", "after_reserve:die", "after_reserve:kill@0", "after_ack:sleep=2", "a:b:c"],
)
def test_what_it_does_not_understand_it_refuses_with_the_names_of_all_points(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"SECKILL_FAULT: .*after_settle"):
        faults.arm({faults.VARIABLE: wrong})
