"""Admissions, hidden addresses, and what is counted of a client's address."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding, Path, quoted
from seckill_sidecar.settings.rules.rule import caution, routes, rule
from seckill_sidecar.settings.rules.templates import names_in
from seckill_sidecar.settings.schema import ADMISSION_IN_PATH, Route, RouteAdmission, Settings

_ADD_KEY = "add keys: with an id and a secret: ${SECKILL_KEY}"


def _admitting(settings: Settings) -> Iterator[tuple[Path, Route]]:
    return ((path, route) for path, route in routes(settings) if route.admission.asked)


def _hidden(settings: Settings) -> Iterator[tuple[Path, Route]]:
    return ((path, route) for path, route in routes(settings) if route.admission.hidden)


@rule("keys")
def admissions_need_a_key(settings: Settings) -> Iterator[Finding]:
    for path, _ in _admitting(settings):
        if not settings.keys:
            yield Finding((*path, "admission"), f"an admission is signed; {_ADD_KEY}")


@rule("keys")
def addresses_are_kept_under_a_key(settings: Settings) -> Iterator[Finding]:
    if settings.limits.orders_per_address and not settings.keys:
        what = f"addresses are kept as keyed hashes only; {_ADD_KEY}"
        yield Finding(("limits", "orders_per_address"), what)


@rule("identity")
def who_asks_for_admission_can_be_known(settings: Settings) -> Iterator[Finding]:
    for path, route in _admitting(settings):
        buyer = route.buyer or settings.identity.buyer
        if buyer and buyer.kind == "path":
            what = "the buyer stands in the path, which nobody has yet who asks for admission; take it from elsewhere"
            yield Finding((*path, "admission"), what)


@rule()
def hidden_paths_hold_the_admission(settings: Settings) -> Iterator[Finding]:
    for path, route in _hidden(settings):
        names = names_in(route.path)
        item = None if isinstance(route.item, str) else route.item.path
        more = [name for name in names if name not in (ADMISSION_IN_PATH, item)]
        if ADMISSION_IN_PATH not in names:
            what = f"{quoted(route.path)} has no {{admission}}, which hides it; write for example /buy/{{admission}}"
            yield Finding((*path, "path"), what)
        elif more:
            what = (
                f"{quoted(more[0])} is neither the admission nor the item, so nobody can be told the path; take it out"
            )
            yield Finding((*path, "path"), what)


@rule()
def hidden_paths_end_where_they_should(settings: Settings) -> Iterator[Finding]:
    for path, route in _hidden(settings):
        for segment in route.path.split("/"):
            names = names_in(segment)
            if ADMISSION_IN_PATH in names and len(names) > 1:
                what = (
                    f"{quoted(segment)} could be taken apart in several places, for an admission has . - and _ in it; "
                    "put a / between the names"
                )
                yield Finding((*path, "path"), what)


@rule()
def hidden_admissions_come_from_the_path(settings: Settings) -> Iterator[Finding]:
    for path, route in _hidden(settings):
        if route.admission.token != RouteAdmission().token:  # the default may be written out, as config show does
            what = "has no use with hidden: true, where {admission} of the path is the token; remove it"
            yield Finding((*path, "admission", "token"), what)


@rule("identity")
def admissions_are_asked_for_in_one_way(settings: Settings) -> Iterator[Finding]:
    """An admission is for an item, and good on each route that sells it."""
    common = settings.identity.buyer
    before: list[Route] = []
    for path, route in _admitting(settings):
        other = next((other for other in before if _sell_the_same(route, other)), route)
        if route.challenge != other.challenge:
            what = f"is another challenge than that of {other.name}, whose admissions are good here, too"
            yield Finding((*path, "challenge") if route.challenge else path, f"{what}; let both ask the same")
        if (route.buyer or common) != (other.buyer or common):
            what = f"comes from elsewhere than that of {other.name}, by which it is known who asks for admission"
            yield Finding((*path, "buyer") if route.buyer else path, f"the buyer {what}; let both say the same")
        before.append(route)


def _sell_the_same(one: Route, other: Route) -> bool:
    return not (isinstance(one.item, str) and isinstance(other.item, str)) or one.item == other.item


@rule()
def hidden_routes_are_enforced(settings: Settings) -> Iterator[Finding]:
    for path, route in _hidden(settings):
        if not route.stance.is_whole:
            what = "leaves buyers to the storefront, which knows no hidden address; enforce the route for all of them"
            yield Finding((*path, "mode" if route.mode != "enforce" else "percent"), what)


@caution()
def admissions_for_a_share(settings: Settings) -> Iterator[Finding]:
    for path, route in _admitting(settings):
        if route.mode == "enforce" and route.percent < 100 and not route.admission.hidden:
            what = "who has no admission belongs to no share, and passes on to the storefront"
            yield Finding((*path, "percent"), what)
