"""What gunicorn's master does beyond gunicorn: it tells systemd's watchdog, and stays with the last good settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seckill_sidecar.adapters.systemd import ALIVE, Tell
from seckill_sidecar.errors import Problem


def keep_the_last_good(server: Any, reload: Callable[[], Sequence[Problem]]) -> None:
    """Let gunicorn's master reload only if ``reload`` finds no problem; else all stays as it is."""
    go_on = server.handle_hup

    def handle_hup() -> None:
        problems = reload()
        for problem in problems:
            server.log.error("not reloaded, the last good configuration stays: %s", problem)
        if not problems:
            go_on()

    server.handle_hup = handle_hup


def beat(server: Any, tell: Tell) -> None:
    """Tell systemd's watchdog with each turn of the master's loop, which looks after the workers first."""
    look_after_workers = server.murder_workers

    def murder_workers() -> None:
        look_after_workers()
        tell(ALIVE)

    server.murder_workers = murder_workers
