"""What nginx says by itself: the gate's own words, as locations that return them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seckill_sidecar.adapters.markers import ALL_ITEMS, WAITING, WAITS
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.model import Decision, Verdict
from seckill_sidecar.settings.schema import Limits
from seckill_sidecar.wire.answers import Answer, Refusal
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import Keyring

FORMS = {"": "application/json", "_page": "text/html"}
"""The ends of the locations' names, as ``$seckill_form`` has them, and an Accept that means each."""

_SOME_SECONDS, _SCATTERED_SECONDS = 987654321, 987654322
COME_BACK = "seckill_come_back"
"""The variable that holds the seconds after which to come back, another one for each."""
_FIRST_WAIT = 465
_REPLY = Reply("/", Keyring([]), Limits(), ManualClock())


@dataclass(frozen=True, slots=True)
class Saying:
    """One answer, in both forms."""

    name: str
    """Of its locations, without ``@seckill_``."""
    refusal: Refusal
    of_all: Refusal | None = None
    """What to say instead if it is about all items together."""


_NOTHING_LEFT = Refusal(Verdict.SOLD_OUT, "nothing that is on sale here has a unit left")
SOLD_OUT = Saying("sold_out", _REPLY.refusal_of(Decision(Verdict.SOLD_OUT)), of_all=_NOTHING_LEFT)
CLOSED = Saying("closed", _REPLY.refusal_of(Decision(Verdict.CLOSED)))
NOT_OPEN = Saying("not_open", _REPLY.refusal_of(Decision(Verdict.NOT_OPEN, retry_after=_SOME_SECONDS)))
SHIELD = (SOLD_OUT, CLOSED, NOT_OPEN)
"""What the shield says: the names are those of the folders of markers."""
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

FULL = Saying(
    "full",
    Refusal(
        Verdict.UNAVAILABLE, "too many requests at this moment; this one bought nothing", retry_after=_SCATTERED_SECONDS
    ),
)


def locations(saying: Saying) -> Iterator[str]:
    """The named locations of one answer, without and with ``_page``."""
    for end, accept in FORMS.items():
        yield _block(f"@seckill_{saying.name}{end}", _lines(saying, accept))


def not_open_locations(prefix: str, folder: str) -> Iterator[str]:
    """The answer that says when to come back: how long that is, markers in ``folder`` tell."""
    answer = f"{prefix}.not_open$seckill_form?wait="
    tests = [(_FIRST_WAIT + i, seconds) for i, seconds in enumerate((1, *WAITS))]
    yield _block(
        f"@seckill_{NOT_OPEN.name}",
        [
            "    recursive_error_pages on;",
            *(f"    error_page {status} = {answer}{seconds};" for status, seconds in tests),
            *(
                f"    if (-f {folder}/{WAITING}{seconds}/$seckill_item) {{ return {status}; }}"
                for status, seconds in reversed(tests[1:])
            ),
            f"    return {_FIRST_WAIT};",
        ],
    )
    for end, accept in FORMS.items():
        yield _block(f"= {prefix}.not_open{end}", ["    internal;", *_lines(NOT_OPEN, accept)])


def _block(location: str, lines: Iterable[str]) -> str:
    return "\n".join(["", f"location {location} {{", *lines, "}"])


def _lines(saying: Saying, accept: str) -> Iterator[str]:
    answer = _said(saying.refusal, accept)
    for name, value in answer.headers:
        if name == "Content-Type":
            yield f'    default_type "{value}";'
        else:
            yield f"    add_header {name} {_waiting(value)} always;"
    if saying.of_all is not None:
        body = _quoted(_said(saying.of_all, accept).body)
        yield f"    if ($seckill_item = {ALL_ITEMS}) {{ return {answer.status} {body}; }}"
    yield f"    return {answer.status} {_quoted(answer.body)};"


def _said(refusal: Refusal, accept: str) -> Answer:
    return _REPLY.refused(Request({"REQUEST_METHOD": "POST", "PATH_INFO": "/", "HTTP_ACCEPT": accept}), refusal)


def _waiting(text: str) -> str:
    return text.replace(str(_SOME_SECONDS), "$arg_wait").replace(str(_SCATTERED_SECONDS), f"${COME_BACK}")


def _quoted(body: bytes) -> str:
    text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{_waiting(text)}'"
