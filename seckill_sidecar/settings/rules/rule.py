"""What a rule is: one small function over the settings that yields what can't be, or what looks wrong.

Rules run on settings whose values are well-formed. Where some aren't, those parts are left out and the
rules that compare with them are skipped, so that one check tells as much as can be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seckill_sidecar.settings.findings import Finding, Path
from seckill_sidecar.settings.schema import BuyerSource, RequestKind, Route, Settings, Source

Check = Callable[[Settings], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A check, the sections that it can't do without, and whether what it finds only warns."""

    check: Check
    reads: frozenset[str]
    warns: bool


def rule(*reads: str) -> Callable[[Check], Rule]:
    """Make a check a rule: what it finds can't be. ``reads`` names what it compares with."""
    return lambda check: Rule(check, frozenset(reads), warns=False)


def caution(*reads: str) -> Callable[[Check], Rule]:
    """Make a check a caution: what it finds works, but is hardly meant."""
    return lambda check: Rule(check, frozenset(reads), warns=True)


# -- walks that several rules take -----------------------------------------------------------------


def routes(settings: Settings) -> Iterator[tuple[Path, Route]]:
    """Each route with its path."""
    for i, route in enumerate(settings.routes):
        yield ("routes", i), route


def request_kinds(settings: Settings) -> Iterator[tuple[Path, RequestKind]]:
    """Each kind of request that is looked for, with its path: purchases, and what settles orders."""
    yield from routes(settings)
    for i, settle in enumerate(settings.settles):
        yield ("settles", i), settle


def sources(route: RequestKind) -> Iterator[tuple[Path, Source]]:
    """Each place from which a route takes a value, by its keys."""
    for name in ("item", "quantity", "buyer", "idempotency", "order"):
        source = getattr(route, name, None)
        if isinstance(source, Source):
            yield (name,), source
    if isinstance(route, Route) and route.admission.required and not route.admission.hidden:
        yield ("admission", "token"), route.admission.token


def buyers(settings: Settings) -> Iterator[tuple[Path, BuyerSource]]:
    """Each place from which a buyer may come, with its path."""
    if settings.identity.buyer:
        yield ("identity", "buyer"), settings.identity.buyer
    for path, route in routes(settings):
        if route.buyer:
            yield (*path, "buyer"), route.buyer


def all_sources(settings: Settings) -> Iterator[tuple[Path, Source]]:
    """Every place from which a value may come, with its path."""
    if settings.identity.buyer:
        yield ("identity", "buyer"), settings.identity.buyer
    for path, route in request_kinds(settings):
        for name, source in sources(route):
            yield (*path, *name), source
