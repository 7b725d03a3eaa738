"""What one answer tells its buyer: an order, a refusal, something to poll, or nothing that could be true."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from demo.line import Reply

_ON_THE_PAGE = re.compile(r'data-order="([A-Za-z0-9._~-]{1,100})"')

ACCEPTED, REPLAYED = "accepted", "replayed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One reading of a reply. Exactly one of these holds: there is an order to keep, a verdict that refuses,
    a path to poll, or a fault."""

    verdict: str = ""
    order: str = ""
    source: str = ""
    """Who spoke: ``shop`` (its page came back) or ``gate`` (the sidecar's own answer)."""
    poll: str = ""
    fault: str = ""
    """What is wrong with the reply; empty if nothing is."""

    @property
    def won(self) -> bool:
        """Whether the buyer was told that there is an order."""
        return self.verdict in (ACCEPTED, REPLAYED)


def read_answer(reply: Reply) -> Answer:
    """What this reply to a purchase says."""
    if "json" in reply.header("content-type"):
        return _from_gate(reply)
    return _from_shop(reply)


def read_state(reply: Reply) -> Answer | None:
    """What polling an order says: it exists, it never will, or None for "ask again"."""
    fields = _fields(reply)
    if reply.status == 200 and fields.get("order"):
        return Answer(ACCEPTED, order=str(fields["order"]), source="gate")
    if reply.status == 404:
        return Answer("unavailable", source="gate")
    if reply.status in (202, 429, 503):
        return None
    return Answer(fault=f"polling an order gave {reply.status}: {reply.body[:200]!r}")


def _from_shop(reply: Reply) -> Answer:
    found = _ON_THE_PAGE.search(reply.body.decode("utf-8", "replace"))
    if reply.status == 200 and found:
        return Answer(ACCEPTED, order=found[1], source="shop")
    return Answer(fault=f"{reply.status} that names neither an order nor a verdict: {reply.body[:200]!r}")


def _from_gate(reply: Reply) -> Answer:
    fields = _fields(reply)
    verdict, order, poll = (str(fields.get(name) or "") for name in ("verdict", "order", "poll"))
    if reply.status < 300:
        if verdict in (ACCEPTED, REPLAYED) and order:
            return Answer(verdict, order=order, source="gate")
        return Answer(fault=f"{reply.status} without an order: {reply.body[:200]!r}")
    if reply.status < 400 or not verdict or verdict in (ACCEPTED, REPLAYED):
        return Answer(fault=f"{reply.status} without a verdict that refuses: {reply.body[:200]!r}")
    if order and poll:
        return Answer(order=order, source="gate", poll=poll)
    return Answer(verdict, source="gate")


def _fields(reply: Reply) -> dict[str, Any]:
    try:
        fields = json.loads(reply.body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
