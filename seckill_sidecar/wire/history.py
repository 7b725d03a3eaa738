"""A sale's history as a file: one line an event, each sealed with a hash over itself and the line before.

    header:  {"count": …, "epoch": …, "exported_at": …, "format": 1, "item": …, "sha256": …}
    event:   {"chain": 1, "digest": …, "event": "accepted", "id": …, …, "prev": …, "sha256": …}
    trailer: {"digest": …, "end": true, "sha256": …}

A line is canonical JSON (keys sorted, no spaces, UTF-8), so there is one spelling of it, and no byte that could be
another. ``sha256`` is taken over the hash before it and the line without its own; the header's over nothing before.
``digest`` and ``prev`` are the chain that the ledger's scripts make, which nobody but the ledger can have made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from seckill_sidecar.errors import BadMessage
from seckill_sidecar.model import MESSAGE_VERSION, Event

FORMAT = 1
FIRST_PREV = "0" * 40
"""What the first event of an epoch has for the digest before it."""

Fields = Mapping[str, Any]


def seal(fields: Fields, before: str) -> tuple[str, str]:
    """The line of these fields, and its hash; ``before`` is that of the line before, empty for the first."""
    digest = hashlib.sha256((before + _canonical(fields)).encode()).hexdigest()
    return _canonical({**fields, "sha256": digest}), digest


def unseal(line: bytes, before: str) -> tuple[dict[str, Any], str]:
    """The fields of a line and its hash; raises ``BadMessage`` if a byte of it is not what was written."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise BadMessage("it is no JSON object")
        fields.pop("sha256", None)
        whole, digest = seal(fields, before)
        sound = whole.encode() == line
    except (ValueError, RecursionError) as error:
        raise BadMessage("it is no JSON") from error
    if not sound:
        raise BadMessage("its sha256 is not that of this line after the one before it")
    return fields, digest


def fields_of(event: Event) -> dict[str, Any]:
    """An event's line, not sealed yet: what its digest is made of, without what concerns one request only."""
    fields = json.loads(event.encode())
    del fields["v"], fields["traceparent"]
    fields.pop("key", None)
    return {**fields, "digest": event.digest}


def event_of(fields: Fields) -> Event:
    """The event of a line; raises ``BadMessage``."""
    return Event.decode(json.dumps({**fields, "v": MESSAGE_VERSION}).encode())


def _canonical(fields: Fields) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
