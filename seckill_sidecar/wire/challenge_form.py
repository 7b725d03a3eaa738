"""The part of a page that puts a challenge to a browser, and sends its purchase again together with the solution."""

from __future__ import annotations

import html
from dataclasses import dataclass

from seckill_sidecar.wire.answers import Asked
from seckill_sidecar.wire.fields import FORM, MULTIPART, Fields, Malformed
from seckill_sidecar.wire.request import Request


@dataclass(frozen=True, slots=True)
class FormWords:
    """What the form says, in the reader's language."""

    go_on: str
    needs_script: str


def challenge_form(request: Request, asked: Asked, script: str, body_limit: int, words: FormWords) -> str:
    """A form with the fields of this request, to be sent to where it was sent; ``script`` fills in the solution.

    Only the challenge for what no form can send again (JSON, PUT): whoever made such a request has a script.
    """
    place = (
        f'<div data-seckill-challenge="{html.escape(asked.url)}"></div>'
        f"<noscript><p>{html.escape(words.needs_script)}</p></noscript>"
        f'<script src="{html.escape(script)}" defer></script>'
    )
    fields = _fields(request, body_limit)
    if fields is None:
        return place
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, values in fields.items()
        if name not in asked.fields
        for value in values
    )
    # Without an action it goes to the page's own address; a path like //host would lead elsewhere.
    button = f'<button type="submit">{html.escape(words.go_on)}</button>'
    return f'<form method="{request.method.lower()}">{hidden}{place}{button}</form>'


def _fields(request: Request, body_limit: int) -> Fields | None:
    try:
        if request.method == "GET":
            return request.query
        if request.method == "POST" and request.content_type in ("", FORM, MULTIPART):
            return request.form(body_limit)
    except Malformed:
        return None
    return None
