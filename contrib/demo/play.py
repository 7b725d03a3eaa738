"""Plays the sale: many keep-alive connections, each sending the crowd's next attempt, every answer recorded."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field

from demo.answers import Answer, read_answer, read_state
from demo.line import BrokenLine, Line
from demo.plan import SKU, Attempt

POLL_EVERY_S = 0.2
POLL_FOR_S = 30.0
TICK_S = 0.02

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What one buyer was told in the end, and how long the first answer took."""

    attempt: Attempt
    answer: Answer
    seconds: float
    polled: bool = False
    """Whether the first answer was "unknown" and the buyer had to ask again."""


@dataclass
class Sale:
    """One sale at ``address``: ``cookie(buyer)`` gives the Cookie header that proves who is buying."""

    address: Address
    cookie: Callable[[str], str]
    told: list[Told] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    """Answers so far by verdict; faults count as ``error``."""
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, attempts: Sequence[Attempt], connections: int, tick: Callable[[Counter[str]], None]) -> float:
        """Send all attempts, ``connections`` at a time, calling ``tick`` with the tally every now and then.

        Returns the seconds that it took. ``told`` then holds one entry for each attempt.
        """
        waiting = iter(attempts)
        pool = ThreadPoolExecutor(connections, thread_name_prefix="buyers")
        started = time.perf_counter()
        try:
            lines = [pool.submit(self._serve_line, waiting) for _ in range(connections)]
            while wait(lines, timeout=TICK_S, return_when=FIRST_EXCEPTION).not_done:
                tick(self.tally)
            for line in lines:
                line.result()
        finally:
            # On Ctrl-C don't wait for what is under way: it ends with the servers.
            self._over.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return time.perf_counter() - started

    def _serve_line(self, waiting: Iterator[Attempt]) -> None:
        with closing(Line(self.address)) as line:
            while not self._over.is_set():
                with self._lock:
                    attempt = next(waiting, None)
                if attempt is None:
                    return
                self._record(self._buy(line, attempt))

    def _record(self, told: Told) -> None:
        with self._lock:
            self.told.append(told)
            self.tally["error" if told.answer.fault else told.answer.verdict] += 1

    def _buy(self, line: Line, attempt: Attempt) -> Told:
        headers = {
            "Cookie": self.cookie(attempt.buyer),
            "Accept": "*/*",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if attempt.key:
            headers["Idempotency-Key"] = attempt.key
        began = time.perf_counter()
        try:
            answer = read_answer(line.ask("POST", f"/buy/{SKU}", headers, f"quantity={attempt.quantity}".encode()))
        except BrokenLine as error:
            answer = Answer(fault=str(error))
        seconds = time.perf_counter() - began
        if not answer.poll:
            return Told(attempt, answer, seconds)
        return Told(attempt, self._poll(line, answer, headers["Cookie"]), seconds, polled=True)

    def _poll(self, line: Line, unknown: Answer, cookie: str) -> Answer:
        until = time.monotonic() + POLL_FOR_S
        while time.monotonic() < until and not self._over.wait(POLL_EVERY_S):
            try:
                state = read_state(line.ask("GET", unknown.poll, {"Cookie": cookie, "Accept": "application/json"}))
            except BrokenLine:
                continue
            if state is not None:
                return state
        return Answer(fault=f"order {unknown.order} still unknown after {POLL_FOR_S:.0f} s of polling")
