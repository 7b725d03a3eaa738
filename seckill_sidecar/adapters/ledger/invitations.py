"""Invited buyers in Redis, beside their item: exactly those whom a list has, in little memory.

    {sku}:invited                     hash: generation → whole or filling, buckets, count, milliseconds since 1970
    {sku}:invited:<generation>:<n>    set of 64-bit numbers, some 128 of them

A set of whole numbers costs 8 bytes a member as long as it is small, so there are many. A stranger would have to share
the bucket and all 64 bits with somebody who is invited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import STORE, Line
from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError
from seckill_sidecar.ports import Generation, Seat

_AT_ONCE = 500
"""Commands in one pipeline."""
_STAY = 2
"""Complete generations that are kept: the newest, and the one before it."""
_ABANDONED_MS = 86_400_000
"""One that has not been completed for so long never will be."""
_WHOLE, _FILLING = "whole", "filling"


class RedisInvitations:
    """``ports.Invitations`` on one Redis."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def holds(self, sku: str, seat: Seat, deadline: Deadline) -> bool | None:
        """Whether this seat is taken; None if the ledger does not have its generation, or not all of it."""
        state, taken = self._ask_all(
            [
                ("HGET", self._register(sku), seat.generation),
                ("SISMEMBER", self._bucket(sku, seat.generation, seat.bucket), seat.member),
            ],
            deadline,
        )
        return bool(taken) if state is not None and state.startswith(_WHOLE.encode()) else None

    def begin(self, generation: Generation, at_ms: int, deadline: Deadline) -> None:
        """Announce a generation that is not complete yet."""
        self._note(generation, _FILLING, at_ms, deadline)

    def add(self, generation: Generation, seats: Sequence[Seat], deadline: Deadline) -> int:
        """Take these seats; how many were free until now."""
        members = defaultdict(list)
        for seat in seats:
            members[seat.bucket].append(seat.member)
        commands = [
            ("SADD", self._bucket(generation.sku, generation.name, bucket), *some) for bucket, some in members.items()
        ]
        return sum(self._in_pieces(commands, deadline))

    def finish(self, generation: Generation, at_ms: int, deadline: Deadline) -> None:
        """Let it be asked from now on."""
        self._note(generation, _WHOLE, at_ms, deadline)

    def is_whole(self, generation: Generation, deadline: Deadline) -> bool:
        """Whether the ledger has all of it."""
        state = self._line.ask("HGET", self._register(generation.sku), generation.name, deadline=deadline)
        return state is not None and state.startswith(_WHOLE.encode())

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def drop_old(self, sku: str, now_ms: int, deadline: Deadline) -> None:
        """Drop what no host can want any more."""
        flat = self._line.ask("HGETALL", self._register(sku), deadline=deadline)
        whole: list[tuple[int, str, int]] = []
        dropped: list[tuple[str, int]] = []
        for name, text in zip(flat[::2], flat[1::2], strict=True):
            state, buckets, _, at_ms = text.decode().split()
            if state == _WHOLE:
                whole.append((int(at_ms), name.decode(), int(buckets)))
            elif now_ms - int(at_ms) > _ABANDONED_MS:
                dropped.append((name.decode(), int(buckets)))
        dropped += [(name, buckets) for _, name, buckets in sorted(whole, reverse=True)[_STAY:]]
        for name, buckets in dropped:
            # Its name first: what is half gone must not be asked.
            self._line.ask("HDEL", self._register(sku), name, deadline=deadline)
            self._in_pieces([("UNLINK", self._bucket(sku, name, bucket)) for bucket in range(buckets)], deadline)

    def _note(self, generation: Generation, state: str, at_ms: int, deadline: Deadline) -> None:
        text = f"{state} {generation.buckets} {generation.count} {at_ms}"
        self._line.ask("HSET", self._register(generation.sku), generation.name, text, deadline=deadline)

    def _in_pieces(self, commands: Sequence[Sequence[Any]], deadline: Deadline) -> list[Any]:
        remaining, answers = iter(commands), []
        while piece := list(islice(remaining, _AT_ONCE)):
            answers += self._ask_all(piece, deadline)
        return answers

    def _ask_all(self, commands: Sequence[Sequence[Any]], deadline: Deadline) -> list[Any]:
        answers = self._line.ask_all(commands, deadline=deadline)
        for answer in answers:
            if isinstance(answer, LedgerUntrusted):
                raise LedgerUntrusted(STORE, f"the list of invited buyers can't be asked: {answer.what}")
            if isinstance(answer, StoreError):
                raise answer
        return answers

    def _register(self, sku: str) -> str:
        return self._keys.of(sku, "invited")

    def _bucket(self, sku: str, generation: str, number: int) -> str:
        return self._keys.of(sku, f"invited:{generation}:{number}")
