"""Path templates: ``/buy/{sku}`` on the way in, ``/thanks?order={order}`` on the way out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import request_kinds, routes, rule, sources
from seckill_sidecar.settings.schema import Settings

_NAME = re.compile(r"\{([a-z_][a-z0-9_]*)\}", re.ASCII)
_NEVER_IN_PATHS = re.compile(r"[\s\x00-\x1f\x7f?#%;\\]")
_NEVER_IN_REDIRECTS = re.compile(r"[^!-~]|\\")
_PLACEHOLDERS = ("order", "token", "item")


def names_in(template: str) -> list[str]:
    """The ``{name}``s of a path template, in order."""
    return _NAME.findall(template)


@rule()
def templates_are_paths(settings: Settings) -> Iterator[Finding]:
    for path, route in request_kinds(settings):
        fault = _template_fault(route.path)
        if fault:
            yield Finding((*path, "path"), f"{quoted(route.path)} {fault}")


def _template_fault(template: str) -> str | None:
    bad = _NEVER_IN_PATHS.search(template)
    names = names_in(template)
    if not template.startswith("/"):
        return "doesn't begin with /; write the path as the browser sends it, for example /buy/{sku}"
    if bad:
        return f"has {quoted(bad[0])} in it; write the path alone, decoded (for a query field, use query:)"
    if any(segment in ("", ".", "..") for segment in template.split("/")[1:-1]) or template.endswith(("/.", "/..")):
        return "isn't in its simplest form; write it without //, /./ and /../"
    if set("{}") & set(_NAME.sub("", template)):
        return "has a brace that is no {name} of small letters, digits and _; write for example /buy/{sku}"
    if "}{" in template:
        return "has two names side by side, and nobody knows where one ends; put something between them"
    if len(set(names)) < len(names):
        return "has the same {name} twice; give each its own"
    return None


@rule()
def path_sources_are_in_the_template(settings: Settings) -> Iterator[Finding]:
    for path, route in request_kinds(settings):
        if _template_fault(route.path):
            continue
        known = names_in(route.path)
        for name, source in sources(route):
            wanted = source.path
            if wanted is not None and wanted not in known:
                what = f"{quoted(wanted)} is no {{name}} in {quoted(route.path)}; it has {', '.join(known) or 'none'}"
                yield Finding((*path, *name, "path"), what)


@rule("identity")
def the_common_buyer_is_in_each_template(settings: Settings) -> Iterator[Finding]:
    wanted = settings.identity.buyer and settings.identity.buyer.path
    for path, route in routes(settings):
        if wanted and not route.buyer and wanted not in names_in(route.path):
            what = f"{quoted(route.path)} lacks {{{wanted}}}, where identity.buyer looks; give the route its own buyer:"
            yield Finding((*path, "path"), what)


@rule()
def fixed_items_are_no_forgotten_names(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if isinstance(route.item, str) and route.item in names_in(route.path):
            meant = f"{{path: {route.item}}}"
            yield Finding((*path, "item"), f"{quoted(route.item)} would be the SKU itself; write {meant}")


@rule()
def redirects_and_their_targets_go_together(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if route.on_accept == "redirect" and route.redirect_to is None:
            yield Finding((*path, "on_accept"), "redirects to nowhere; add redirect_to: /thanks?order={order}")
        if route.on_accept != "redirect" and route.redirect_to is not None:
            what = f"has no use with on_accept: {route.on_accept}; remove it, or write on_accept: redirect"
            yield Finding((*path, "redirect_to"), what)


@rule()
def redirects_stay_on_this_site(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        fault = _redirect_fault(route.redirect_to) if route.redirect_to is not None else None
        if fault:
            yield Finding((*path, "redirect_to"), f"{quoted(route.redirect_to or '')} {fault}")


def _redirect_fault(target: str) -> str | None:
    bad = _NEVER_IN_REDIRECTS.search(target)
    if not target.startswith("/") or target.startswith("//"):
        return "leaves this site; write a path that begins with a single /"
    if bad:
        return f"has {quoted(bad[0])} in it; percent-encode it, or remove it"
    rest = _NAME.sub(lambda match: "" if match[1] in _PLACEHOLDERS else match[0], target)
    if "{" in rest or "}" in rest:
        return "has a brace that stands for nothing; known are {order}, {token} and {item}"
    return None
