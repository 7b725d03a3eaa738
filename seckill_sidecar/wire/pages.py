"""The pages that browsers are shown: one template, and each language's words. Whatever is put in is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape

Texts = Mapping[str, str]
"""One language's words, by ``sold_out.title``, ``sold_out.text``, ``words.seconds`` and so on."""

_ORDER = ("order", "item", "quantity")
ENTRIES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("accepted", "kept", "replayed", "held", "paid", "cancelled", "expired"), _ORDER),
    "sold_out_few": ("available",),
    **dict.fromkeys(("not_open", "rate_limited"), ("wait",)),
    **dict.fromkeys(("sold_out", "sold_out_all", "limit_reached", "limit_reached_address", "closed"), ()),
    **dict.fromkeys(("unknown_item", "unidentified", "not_eligible", "not_admitted", "challenged", "foreign"), ()),
    **dict.fromkeys(("invalid", "conflict", "unavailable", "unknown", "lost", "failed", "no_order", "not_yours"), ()),
}
"""The pages, each with a title and a text, and the values that these may name."""
WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("see_order", "is_receipt", "go_on", "needs_script"), ()),
    "refreshes": (),
    **dict.fromkeys(("seconds", "minutes", "hours"), ("n",)),
}
"""The words beside them, and the values that these may name."""
PLACEHOLDERS = ("lang", "title", "text", "more", "refresh")
"""What a template may hold as ``{{name}}``."""

PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}")
VALUE = re.compile(r"\{(\w+)\}")
_RANGE = re.compile(r"\s*([A-Za-z0-9*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.ASCII)
_LONGEST_HEADER = 200
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Theme:
    """What a site's pages are made of."""

    template: str
    languages: Mapping[str, Texts]
    """By tag (``en``, ``zh``); the first is for whoever asks for none of them."""


@dataclass(frozen=True, slots=True)
class More:
    """What only some pages have below their text."""

    link: str = ""
    """Where to see how the order stands."""
    refresh: int | None = None
    """Seconds after which the browser goes there by itself; to the page itself if there is no link."""
    detail: str = ""
    """The gate's own words, in English."""
    is_receipt: bool = False
    """Whether the link is worth keeping: by it the order is always found."""
    form: str = ""
    """HTML of the gate's own making."""


NOTHING_MORE = More()


class Pages:
    """The pages of one site. Those that are the same for many are made once."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self.languages = tuple(theme.languages)
        self._first = self.languages[0]
        self._tags = {tag.lower(): tag for tag in self.languages}
        self._kept: Callable[..., bytes] = lru_cache(maxsize=_KEPT)(self._made)
        self._chosen = lru_cache(maxsize=_KEPT)(self._choose)

    def language(self, accept_language: str) -> str:
        """The language for a client with this ``Accept-Language``."""
        return self._chosen(accept_language[:_LONGEST_HEADER]) if accept_language else self._first

    def page(self, language: str, name: str, more: More = NOTHING_MORE, **values: object) -> bytes:
        """A page of ``ENTRIES``; ``values`` are those that its texts may name."""
        make = self._made if more.link or more.form or "order" in values else self._kept
        return make(language, name, more, **{key: str(value) for key, value in values.items()})

    def wait(self, language: str, seconds: float) -> str:
        """So many seconds as people say it, rounded up."""
        seconds = max(1, math.ceil(seconds))
        if seconds < 120:
            return self.in_seconds(language, str(seconds))
        if seconds < 7200:
            return self.word(language, "minutes", n=str(math.ceil(seconds / 60)))
        return self.word(language, "hours", n=str(math.ceil(seconds / 3600)))

    def in_seconds(self, language: str, number: str) -> str:
        """So many seconds, whatever stands for the number."""
        return self.word(language, "seconds", n=number)

    def _choose(self, accept_language: str) -> str:
        asked = [(float(q or 1), tag.lower()) for tag, q in _ranges(accept_language)]
        for q, tag in sorted(asked, key=lambda one: -one[0]):
            known = self._first if tag == "*" else self._known(tag)
            if known and q > 0:
                return known
        return self._first

    def _known(self, tag: str) -> str | None:
        """RFC 4647's look-up: zh-Hant-TW, zh-Hant, zh."""
        while tag and tag not in self._tags:
            tag = tag.rpartition("-")[0]
        return self._tags.get(tag)

    def word(self, language: str, word: str, **values: str) -> str:
        """One of ``WORDS``; ``values`` are those that it may name."""
        return _filled(self._theme.languages[language][f"words.{word}"], values)

    def _made(self, language: str, name: str, more: More, **values: str) -> bytes:
        texts = self._theme.languages[language]
        parts = {
            "lang": escape(language),
            "title": _html(texts[f"{name}.title"], values),
            "text": _html(texts[f"{name}.text"], values),
            "more": "\n".join(self._below(language, more)),
            "refresh": _refresh(more),
        }
        return PLACEHOLDER.sub(lambda match: parts[match[1]], self._theme.template).encode()

    def _below(self, language: str, more: More) -> list[str]:
        below = []
        if more.link:
            below.append(f'<p><a href="{escape(more.link)}">{escape(self.word(language, "see_order"))}</a></p>')
        if more.is_receipt:
            below.append(f'<p class="detail">{escape(self.word(language, "is_receipt"))}</p>')
        if more.refresh is not None:
            below.append(f'<p class="detail">{escape(self.word(language, "refreshes"))}</p>')
        if more.detail:
            below.append(f'<p class="detail" lang="en">{escape(more.detail)}</p>')
        if more.form:
            below.append(more.form)
        return below


def _ranges(accept_language: str) -> list[tuple[str, str | None]]:
    found = (_RANGE.fullmatch(part) for part in accept_language.split(","))
    return [(match[1], match[2]) for match in found if match]


def _refresh(more: More) -> str:
    if more.refresh is None:
        return ""
    where = f";url={escape(more.link)}" if more.link else ""
    return f'<meta http-equiv="refresh" content="{more.refresh}{where}">'


def _html(text: str, values: Mapping[str, str]) -> str:
    return _filled(escape(text), {name: escape(value) for name, value in values.items()})


def _filled(text: str, values: Mapping[str, str]) -> str:
    return VALUE.sub(lambda match: values.get(match[1], match[0]), text)
