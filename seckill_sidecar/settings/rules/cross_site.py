"""Which other sites' pages may send purchases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding, Path, quoted
from seckill_sidecar.settings.rules.rule import caution, routes, rule
from seckill_sidecar.settings.schema import ANY_ORIGIN, Settings

_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?", re.ASCII)
_USUAL_PORT = re.compile(r"http://[^/]*:80|https://[^/]*:443")


@rule()
def origins_are_what_browsers_send(settings: Settings) -> Iterator[Finding]:
    for path, origin in _origins(settings):
        fault = _fault(origin)
        if fault:
            yield Finding(path, f"{quoted(origin)} {fault}")


def _fault(origin: str) -> str | None:
    if origin == ANY_ORIGIN:
        return None
    if not _ORIGIN.fullmatch(origin):
        return "is no origin; write scheme and host, without a slash at the end, for example https://www.shop.example"
    if _USUAL_PORT.fullmatch(origin):
        return f"names the usual port, which browsers leave out; write {origin.rpartition(':')[0]}"
    return None


@caution()
def pages_that_may_all_buy(settings: Settings) -> Iterator[Finding]:
    for path, origin in _origins(settings):
        if origin == ANY_ORIGIN:
            yield Finding(path, "'*' lets any page that a buyer looks at buy in his name; name the sites instead")


def _origins(settings: Settings) -> Iterator[tuple[Path, str]]:
    for i, origin in enumerate(settings.identity.origins):
        yield ("identity", "origins", i), origin
    for path, route in routes(settings):
        for i, origin in enumerate(route.origins or ()):
            yield (*path, "origins", i), origin
