"""What nginx says by itself: the gate's own words, as locations that return them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from seckill_sidecar.adapters.markers import ALL_ITEMS, WAITING, WAITS
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.gate.reply import Reply, refusal_of
from seckill_sidecar.model import Decision, Verdict
from seckill_sidecar.settings.schema import Limits, Settings
from seckill_sidecar.settings.theme import theme_of
from seckill_sidecar.wire.answers import Answer, Refusal
from seckill_sidecar.wire.pages import Pages
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import Keyring

_SOME_SECONDS, _SCATTERED_SECONDS = 987654321, 987654322
COME_BACK = "seckill_come_back"
"""The variable that holds the seconds after which to come back, another one for each."""
_FIRST_WAIT = 465
_LONGEST_WORD = 3000
"""Bytes; nginx takes 4,096, and escaping adds some."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One answer, in both forms."""

    name: str
    """Of its locations, without ``@seckill_``."""
    refusal: Refusal
    of_all: Refusal | None = None
    """What to say instead if it is about all items together."""


_NOTHING_LEFT = Refusal(Verdict.SOLD_OUT, "nothing that is on sale here has a unit left", page="sold_out_all")
SOLD_OUT = Saying("sold_out", refusal_of(Limits(), Decision(Verdict.SOLD_OUT)), of_all=_NOTHING_LEFT)
CLOSED = Saying("closed", refusal_of(Limits(), Decision(Verdict.CLOSED)))
NOT_OPEN = Saying("not_open", refusal_of(Limits(), Decision(Verdict.NOT_OPEN, retry_after=_SOME_SECONDS)))
SHIELD = (SOLD_OUT, CLOSED, NOT_OPEN)
"""What the shield says: the names are those of the folders of markers."""
AWAY = Saying(
    "away",
    Refusal(
        Verdict.UNAVAILABLE,
        "it is not known whether this purchase went through: look at your orders, or send it again with the same "
        "Idempotency-Key",
        retry_after=2,
        page="lost",
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


class Answers:
    """The answers of one site: for programs, and a page in each of its languages."""

    def __init__(self, settings: Settings) -> None:
        """Raises ``ConfigurationError`` if the theme of its pages is broken."""
        self._pages = Pages(theme_of(settings.pages))
        self._reply = Reply("/", Keyring([]), Limits(), ManualClock(), pages=self._pages)
        first, *others = settings.pages.languages
        self._forms = [_Form("", "application/json", first), _Form("_page", "text/html", first)]
        self._forms += [_Form(f"_page{end_of(tag)}", "text/html", tag) for tag in others]

    def locations(self, saying: Saying) -> Iterator[str]:
        """The named locations of one answer, each with the end that ``$seckill_form`` has."""
        for form in self._forms:
            yield _block(f"@seckill_{saying.name}{form.end}", self._lines(saying, form))

    def to_programs(self, saying: Saying) -> tuple[Sequence[str], str]:
        """How a program gets an answer about one item: the lines of its fields, and the one that returns it."""
        *fields, returned = self._lines(replace(saying, of_all=None), self._forms[0])
        return fields, returned.strip()

    def not_open_locations(self, prefix: str, folder: str) -> Iterator[str]:
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
        for form in self._forms:
            yield _block(f"= {prefix}.not_open{form.end}", ["    internal;", *self._lines(NOT_OPEN, form)])

    def _lines(self, saying: Saying, form: _Form) -> Iterator[str]:
        answer = self._said(saying.refusal, form)
        for name, value in answer.headers:
            if name == "Content-Type":
                yield f'    default_type "{value}";'
            else:
                yield f"    add_header {name} {_with_variables(value)} always;"
        if saying.of_all is not None:
            *parts, body = self._quoted(self._said(saying.of_all, form).body, form, "all")
            yield from parts
            yield f"    if ($seckill_item = {ALL_ITEMS}) {{ return {answer.status} {body}; }}"
        *parts, body = self._quoted(answer.body, form, "said")
        yield from parts
        yield f"    return {answer.status} {body};"

    def _said(self, refusal: Refusal, form: _Form) -> Answer:
        asked = {"HTTP_ACCEPT": form.accept, "HTTP_ACCEPT_LANGUAGE": form.language}
        return self._reply.refused(Request({"REQUEST_METHOD": "POST", "PATH_INFO": "/", **asked}), refusal)

    def _quoted(self, body: bytes, form: _Form, name: str) -> Iterator[str]:
        """The body as nginx takes it; before it, what sets its parts, where it is too long for one word."""
        text = body.decode()
        for seconds in (_SOME_SECONDS, _SCATTERED_SECONDS):
            waits = self._pages.wait(form.language, seconds)
            text = text.replace(waits, self._pages.in_seconds(form.language, str(seconds)))
        parts = list(_parts(text))
        if len(parts) > 1:
            for i, part in enumerate(parts):
                yield f"    set $seckill_{name}_{i} '{_escaped(part)}';"
            yield "".join(['"', *(f"$seckill_{name}_{i}" for i in range(len(parts))), '"'])
        else:
            yield f"'{_escaped(text)}'"


@dataclass(frozen=True, slots=True)
class _Form:
    """One form of the answers: the end of its locations' names, and what a client sends who gets it."""

    end: str
    accept: str
    language: str


def end_of(tag: str) -> str:
    """What names of locations end in for pages in this language, unless it is the first."""
    return f"_{tag.lower().replace('-', '_')}"


def _block(location: str, lines: Iterable[str]) -> str:
    return "\n".join(["", f"location {location} {{", *lines, "}"])


def _with_variables(text: str) -> str:
    return text.replace(str(_SOME_SECONDS), "$arg_wait").replace(str(_SCATTERED_SECONDS), f"${COME_BACK}")


def _parts(text: str) -> Iterator[str]:
    """Whole lines, together no longer than what nginx takes as one word."""
    part = ""
    for line in text.splitlines(keepends=True):
        if part and len((part + line).encode()) > _LONGEST_WORD:
            yield part
            part = ""
        part += line
    yield part


def _escaped(text: str) -> str:
    return _with_variables(text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n"))
