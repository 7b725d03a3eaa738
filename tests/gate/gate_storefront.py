"""A legacy site for tests, in Flask: it remembers every request, and answers a purchase as it is asked to.

``GET /_seen?word=…`` tells what it saw. Other requests are answered by the header ``X-Act``: ``5xx``
statuses, ``late`` (a long pause), ``odd`` (duplicate fields, cookies, a teapot), else a plain 201 or 200.
"""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Flask, Response, jsonify, request

LATE = 4.0
"""Seconds that a late answer takes."""

app = Flask(__name__)
_seen: list[dict[str, Any]] = []


@app.before_request
def answer() -> Response:
    """Every address exists: Flask's own routing never gets a say."""
    if request.path == "/_seen":
        word = request.args.get("word", "").lower()
        return jsonify([entry for entry in _seen if word in json.dumps(entry).lower()])
    _seen.append(_entry())
    act = request.headers.get("X-Act", "")
    if act.startswith("5"):
        return Response("broken", status=int(act))
    if act == "late":
        time.sleep(LATE)
    if act == "odd":
        return _odd()
    return Response("the storefront's own words", status=201 if request.method == "POST" else 200)


def _entry() -> dict[str, Any]:
    return {
        "method": request.method,
        "target": request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path,
        "headers": list(request.headers.items()),
        "body": request.get_data(parse_form_data=False).decode("latin-1"),
    }


def _odd() -> Response:
    response = Response(b"\x00\xffodd", status=418, content_type="application/x-odd")
    for name, value in (("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("X-Twice", "1"), ("X-Twice", "2")):
        response.headers.add(name, value)
    return response
