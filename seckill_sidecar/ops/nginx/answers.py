"""What nginx says by itself: the gate's own words, as locations that return them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seckill_sidecar.adapters.markers import ALL_ITEMS, WAITS
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.model import Decision, Verdict
from seckill_sidecar.settings.schema import Limits
from seckill_sidecar.wire.answers import Answer, Refusal
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import Keyring

FORMS = {"": "application/json", "_page": "text/html"}
"""The ends of the locations' names, as ``$seckill_form`` has them, and an Accept that means each."""

_SOME_SECONDS = 987654321
_REPLY = Reply("/", Keyring([]), Limits(), ManualClock())


@dataclass(frozen=True, slots=True)
class Saying:
    """One answer, in both forms."""

    name: str
    """Of its locations, without ``@seckill_``."""
    refusal: Refusal
    of_all: Refusal | None = None
    """What to say instead if it is about all items together."""
    waits: str = ""
    """Folder of markers that say for how long, without the seconds."""


def shield_sayings(of_all: bool) -> list[Saying]:
    """What the shield says: one for each folder of markers."""
    nothing_left = Refusal(Verdict.SOLD_OUT, "nothing that is on sale here has a unit left")
    return [
        Saying("sold_out", _refusal(Decision(Verdict.SOLD_OUT)), of_all=nothing_left if of_all else None),
        Saying("closed", _refusal(Decision(Verdict.CLOSED))),
        Saying("not_open", _refusal(Decision(Verdict.NOT_OPEN, retry_after=_SOME_SECONDS)), waits="opens_in_"),
    ]


AWAY = Saying(
    "away",
    Refusal(
        Verdict.UNAVAILABLE,
        "it is not known whether this purchase went through: look at your orders, or send it again with the same "
        "Idempotency-Key",
        retry_after=2,
    ),
)
CROWDED = Saying(
    "crowded",
    Refusal(Verdict.RATE_LIMITED, "too many requests at this moment; this one bought nothing", retry_after=1),
)


def _refusal(decision: Decision) -> Refusal:
    return _REPLY.refusal_of(decision)


def locations(saying: Saying, folder: str) -> Iterator[str]:
    """The locations of one answer; ``folder`` holds the markers."""
    for end, accept in FORMS.items():
        yield "\n".join(["", f"location @seckill_{saying.name}{end} {{", *_lines(saying, accept, folder), "}"])


def _lines(saying: Saying, accept: str, folder: str) -> Iterator[str]:
    answer = _said(saying.refusal, accept)
    for name, value in answer.headers:
        if name == "Content-Type":
            yield f'    default_type "{value}";'
        else:
            yield f"    add_header {name} {value.replace(str(_SOME_SECONDS), '$seckill_wait')} always;"
    if saying.waits:
        yield "    set $seckill_wait 1;"
        for seconds in WAITS:
            yield f"    if (-f {folder}/{saying.waits}{seconds}/$seckill_item) {{ set $seckill_wait {seconds}; }}"
    if saying.of_all is not None:
        body = _quoted(_said(saying.of_all, accept).body)
        yield f"    if ($seckill_item = {ALL_ITEMS}) {{ return {answer.status} {body}; }}"
    yield f"    return {answer.status} {_quoted(answer.body)};"


def _said(refusal: Refusal, accept: str) -> Answer:
    return _REPLY.refused(Request({"REQUEST_METHOD": "POST", "PATH_INFO": "/", "HTTP_ACCEPT": accept}), refusal)


def _quoted(body: bytes) -> str:
    text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + text.replace(str(_SOME_SECONDS), "$seckill_wait") + "'"
