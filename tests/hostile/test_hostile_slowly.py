"""Clients that dawdle on purpose, by the hundred: buyers get their answers all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from demo.line import Line
from hostile_site import Site
from hostile_words import SKU
from stack.base import program

ATTACKS = {"slowloris": "-H", "slow bodies": "-B", "slow reading": "-X"}
CONNECTIONS = 150
SECONDS = 6


@contextmanager
def under_attack(site: Site) -> Iterator[list[subprocess.Popen[bytes]]]:
    """All three at once, through nginx; they end by themselves."""
    words = ["-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(SECONDS), "-i", "2", "-p", "5", "-v", "0"]
    words += ["-u", f"{site.nginx.url}/buy/{SKU}", "-t", "POST", "-j", "seckill_buyer=forged"]
    running = [
        subprocess.Popen([program("slowhttptest"), mode, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for mode in ATTACKS.values()
    ]
    try:
        yield running
    finally:
        for attack in running:
            attack.kill()
            attack.wait(20)


def buy_until_they_end(site: Site, attacks: list[subprocess.Popen[bytes]]) -> list[int]:
    """The statuses of one buyer's purchases, over and over on one connection."""
    told = []
    with closing(Line(site.nginx.address, timeout=60)) as line:
        while not told or any(attack.poll() is None for attack in attacks):
            told.append(line.ask("POST", f"/buy/{SKU}", {"Cookie": site.cookie}, b"").status)
    return told


def test_buyers_buy_while_hundreds_of_clients_dawdle(site: Site) -> None:
    processes, before = site.processes(), site.view().free
    with under_attack(site) as attacks, ThreadPoolExecutor(2) as pool:
        buyers = [pool.submit(buy_until_they_end, site, attacks) for _ in range(2)]
        told = [status for buyer in buyers for status in buyer.result()]
    sold = before - site.view().free
    assert set(told) <= {200, 409}  # the shop's own answer, or: sold out
    assert told.count(200) == sold > 0
    assert site.processes() == processes
