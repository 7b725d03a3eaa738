"""Routes among each other, and what a request of each kind can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seckill_sidecar.model import SKU
from seckill_sidecar.settings.findings import Finding, Path, quoted
from seckill_sidecar.settings.rules.rule import all_sources, caution, request_kinds, routes, rule, sources
from seckill_sidecar.settings.schema import RequestKind, Route, Settings

_HEADER = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_JSON_PATH = re.compile(r"[^.]+(\.[^.]+)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)


@rule()
def route_names_differ(settings: Settings) -> Iterator[Finding]:
    yield from _repeated([((*path, "name"), route.name) for path, route in request_kinds(settings)])


@rule()
def skus_differ(settings: Settings) -> Iterator[Finding]:
    yield from _repeated([(("items", i, "sku"), item.sku) for i, item in enumerate(settings.items)])


@rule()
def key_ids_differ(settings: Settings) -> Iterator[Finding]:
    yield from _repeated([(("keys", i, "id"), key.id) for i, key in enumerate(settings.keys)])


def _repeated(named: list[tuple[Path, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            yield Finding(path, f"{quoted(name)} stands above already; give each its own")
        seen.add(name)


@rule()
def every_route_can_be_reached(settings: Settings) -> Iterator[Finding]:
    kinds = list(request_kinds(settings))
    for i, (path, kind) in enumerate(kinds):
        for place, earlier in [entry for entry in kinds[:i] if _takes_all(entry[1], kind)][:1]:
            mend = "put this one first" if place[0] == path[0] else "a request is one of the two; correct their paths"
            yield Finding(path, f"is never reached: {quoted(earlier.name)} above takes all its requests; {mend}")


def _takes_all(earlier: RequestKind, later: RequestKind) -> bool:
    """Whether each request that ``later`` matches is matched by ``earlier`` before."""
    return (
        _shape(earlier.path) == _shape(later.path)
        and set(later.methods) <= set(earlier.methods)
        and (not earlier.host or earlier.host.lower() == (later.host or "").lower())
        and earlier.query.items() <= later.query.items()
        and earlier.form.items() <= later.form.items()
    )


def _shape(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


@rule("serve")
def routes_stay_off_our_own_addresses(settings: Settings) -> Iterator[Finding]:
    prefix = settings.serve.prefix
    for path, route in request_kinds(settings):
        if f"{route.path}/".startswith(prefix):
            what = f"{quoted(route.path)} lies under serve.prefix ({prefix}), where our own addresses are; change one"
            yield Finding((*path, "path"), what)


@rule()
def a_get_has_no_body(settings: Settings) -> Iterator[Finding]:
    for path, route in request_kinds(settings):
        body: list[Path] = [(*name, source.kind) for name, source in sources(route) if source.kind in ("form", "json")]
        for where in [*body, *([("form",)] if route.form else [])]:
            if "GET" in route.methods:
                yield Finding((*path, *where), "a GET request has no body; use query, or take GET out of methods")


@rule("identity")
def a_body_is_of_one_kind(settings: Settings) -> Iterator[Finding]:
    for path, route in request_kinds(settings):
        buyer = (route.buyer or settings.identity.buyer) if isinstance(route, Route) else None
        kinds = {source.kind for _, source in sources(route)} | ({buyer.kind} if buyer else set())
        if "json" in kinds and ("form" in kinds or route.form):
            yield Finding(path, "takes values from a form and from JSON, but a body is one of the two; keep one")


@rule()
def fixed_items_are_skus(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if isinstance(route.item, str) and not SKU.fullmatch(route.item):
            what = f"{quoted(route.item)} is no SKU (64 letters, digits and . _ - at most); or was {{query: …}} meant?"
            yield Finding((*path, "item"), what)


@rule()
def hosts_are_hosts(settings: Settings) -> Iterator[Finding]:
    for path, route in request_kinds(settings):
        if route.host is not None and not _HOST.fullmatch(route.host):
            yield Finding(
                (*path, "host"),
                f"{quoted(route.host)} is no host; write it without a port, for example shop.example.com",
            )


@rule()
def source_names_can_occur(settings: Settings) -> Iterator[Finding]:
    for path, source in all_sources(settings):
        fault = name_fault(source.kind, source.name)
        if fault:
            yield Finding((*path, source.kind), f"{quoted(source.name)} {fault}")


def name_fault(kind: str, name: str) -> str | None:
    """What is wrong with the name of a header, a cookie or the like, if anything is."""
    if kind == "header" and not _HEADER.fullmatch(name):
        return "is no header that arrives here (nginx drops names with _); write letters, digits and -"
    if kind == "header" and name.lower().startswith("x-seckill-"):
        return "is a name of ours, which is taken off what clients send; take the value from elsewhere"
    if kind == "cookie" and not _COOKIE.fullmatch(name):
        return "can't be a cookie's name; write letters, digits, - and _"
    if kind == "json" and not _JSON_PATH.fullmatch(name):
        return "is no dotted path; write for example cart.0.sku"
    return None


@caution()
def a_get_that_buys(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if "GET" in route.methods:
            what = "GET buys: link previews, prefetching and reloads send it too; use POST where the site can"
            yield Finding((*path, "methods"), what)


@caution()
def a_get_that_settles(settings: Settings) -> Iterator[Finding]:
    for i, settle in enumerate(settings.settles):
        if "GET" in settle.methods:
            what = "whoever opens this page settles the order, unless the site says no; a page that only shows isn't it"
            yield Finding(("settles", i, "methods"), what)
