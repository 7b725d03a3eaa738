"""What is checked before the sale: that the shop is still itself, and sells to nobody who jumped the queue."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from demo.line import BrokenLine, Line, Reply
from demo.plan import SKU
from demo.play import Address
from demo.site import Site
from demo.trouble import DemoFailed

PAGES = (("GET", "/"), ("HEAD", "/"), ("GET", f"/product/{SKU}"), ("GET", "/style.css?v=1"), ("GET", "/no-such-page"))

MAY_DIFFER = frozenset({"date", "server", "connection", "keep-alive", "transfer-encoding"})
"""Headers that belong to one hop, or that nginx writes anew."""


def check_pass_through(site: Site) -> int:
    """Ask for the shop's pages from all sides; raises ``DemoFailed`` if one differs. Returns how many were compared."""
    for way in (site.front, site.sidecar):
        for method, path in PAGES:
            direct, through = _ask(site.shop, method, path), _ask(way, method, path)
            if _visible(direct) != _visible(through):
                what = f"{method} {path} differs through the sidecar: {_visible(direct)} and {_visible(through)}"
                raise DemoFailed(what, "run with KEEP=1 and compare the two by curl")
    return len(PAGES)


def check_login(site: Site, name: str) -> str:
    """Log in as a browser does; return the Cookie header that this gives."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = _ask(site.front, "POST", "/login", form, f"name={name}".encode())
    cookies = [value.partition(";")[0] for key, value in reply.headers if key == "set-cookie"]
    if reply.status != 303 or not any(cookie.startswith("seckill_buyer=") for cookie in cookies):
        raise DemoFailed(f"logging in gave {reply.status} and {cookies}", "both cookies of the shop must come through")
    return "; ".join(cookies)


def check_unsigned_is_refused(site: Site) -> None:
    """Buy at the shop directly, past the sidecar; raises ``DemoFailed`` if it sells."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": site.home.secret.cookie("queue-jumper")}
    reply = _ask(site.shop, "POST", f"/buy/{SKU}", form, b"quantity=1")
    if reply.status != 403:
        raise DemoFailed(f"the shop sold past the sidecar ({reply.status})", "its buy handler must ask for a signature")


def _ask(at: Address, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
    with closing(Line(at)) as line:
        try:
            return line.ask(method, path, headers, body)
        except BrokenLine as error:
            raise DemoFailed(f"no answer from {at[0]}:{at[1]}: {error}", "see whether it still runs") from error


def _visible(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = sorted((name, value) for name, value in reply.headers if name not in MAY_DIFFER)
    return reply.status, headers, reply.body
