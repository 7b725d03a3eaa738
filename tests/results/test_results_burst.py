"""Who waits hears of the own order once, by events and by WebSocket, through nginx and two workers."""

from __future__ import annotations

from pathlib import Path

from bench.parts.waiters import burst


def test_everybody_hears_once_of_the_own_order(redis_url: str, tmp_path: Path) -> None:
    stores = {"redis": redis_url, "broker": "none", "database": f"sqlite:///{tmp_path}/orders.db"}
    told = burst(stores, by_events=50, by_socket=20)
    assert len(told.latencies) == 70
