"""Words for tests in a real browser: a shop whose answers are told, and what its buyer sees."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page
from stack.scripted import Request, answering, reply

_PAGES = Path(__file__).parents[2] / "contrib/pages"
SCRIPT = (_PAGES / "seckill.js").read_bytes()
CHALLENGES = (_PAGES / "challenges.js").read_bytes()
CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SILENT = ("--disable-component-update", "--disable-sync")

_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>Kettle</title>
<script src="/seckill/seckill.js" defer></script></head>
<body><main><h1>Kettle</h1>
<form method="post" action="/buy/kettle" data-seckill {attributes}>
<label>How many? <input name="quantity" value="1"></label> <input type="hidden" name="csrf" value="{csrf}">
<button name="now" value="yes">Buy</button>
</form></main></body></html>
"""
HTML = "text/html; charset=utf-8"


def said(status: int, *more: str, **members: Any) -> bytes:
    """An answer of the gate."""
    kind = "application/json" if status < 400 else "application/problem+json"
    return reply(status, json.dumps(members).encode(), kind, *more)


def refused(status: int, verdict: str, wait: int | None = None, **members: Any) -> bytes:
    more = [] if wait is None else [f"Retry-After: {wait}"]
    return said(status, *more, verdict=verdict, **members)


def accepted(**members: Any) -> bytes:
    return said(201, verdict="accepted", order="kettle~1", state="held", **members)


class Till:
    """A shop with one product page; what it answers to purchases, and at other addresses, a test says."""

    def __init__(self) -> None:
        self.url = ""
        self.lang, self.attributes = "en", ""
        self.bought: list[Request] = []
        self.answers: queue.Queue[bytes | None] = queue.Queue()
        """To purchases, in their order; each waits for its answer. None hangs up."""
        self.at: dict[str, list[bytes | None]] = {}
        """To GET elsewhere, in their order; the last one stays."""
        self._pages = 0
        self._lock = threading.Lock()

    def answer(self, request: Request) -> bytes | None:
        if request.method == "POST":
            self.bought.append(request)
            return self.answers.get(timeout=20)
        with self._lock:
            path = request.path.partition("?")[0]
            if path == "/seckill/seckill.js":
                return reply(200, SCRIPT, "text/javascript; charset=utf-8")
            if path in self.at:
                left = self.at[path]
                return left.pop(0) if len(left) > 1 else left[0]
            if path != "/":
                return reply(404, b"")
            self._pages += 1
            page = _PAGE.format(lang=self.lang, attributes=self.attributes, csrf=self._pages)
        return reply(200, page.encode(), HTML)

    def keys(self) -> list[str]:
        return [request.headers["idempotency-key"] for request in self.bought]

    def tries(self) -> list[str]:
        return [request.headers["seckill-try"] for request in self.bought]


@contextmanager
def open_till() -> Iterator[Till]:
    """A shop until the block ends."""
    till = Till()
    with answering(till.answer) as scripted:
        till.url = "http://{}:{}/".format(*scripted.address)
        yield till


class Buyer:
    """Somebody at a browser."""

    def __init__(self, browser: Browser, folder: Path, **context: Any) -> None:
        self._context = browser.new_context(viewport={"width": 720, "height": 480}, **context)
        self._context.set_default_timeout(20_000)
        self._folder = Path(os.environ.get("SCREENSHOTS") or folder)
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def come(self, url: str) -> None:
        self.page.goto(url)

    def click(self) -> None:
        self.button.click()

    @property
    def button(self) -> Locator:
        return self.page.get_by_role("button", name="Buy")

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status")

    def sees(self, text: str) -> None:
        """Wait until the live region says it."""
        self.status.filter(has_text=text).wait_for()

    def reads(self, text: str) -> None:
        """Wait for a page with this heading."""
        self.page.get_by_role("heading", name=text).wait_for()

    def hears(self, *events: str) -> None:
        """Note the events of the script from now on."""
        self.page.evaluate(
            """names => { window.heard = []; for (const name of names) document.addEventListener(`seckill:${name}`,
               event => window.heard.push([name, event.detail])); }""",
            list(events),
        )

    def heard(self) -> list[list[Any]]:
        found: list[list[Any]] = self.page.evaluate("window.heard")
        return found

    def shoot(self, name: str) -> None:
        """Keep a picture."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._folder / f"{name}.png")

    def leave(self) -> None:
        self._context.close()
        assert self.errors == []
