"""Whether the legacy site answers, and refuses to sell to who comes past the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from seckill_sidecar.errors import StoreError
from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ops.doctor.requests import Probe, purchase_of
from seckill_sidecar.settings.schema import Route

_STOREFRONT = Subject("storefront")
_SAYS_YES = range(200, 400)
_FAILS = 500


class Told(Protocol):
    """An answer to a request."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def date(self) -> float | None: ...


Ask = Callable[[str, str, Mapping[str, str], bytes], Told]
"""Sends (method, target, headers, body); raises ``StoreError``."""


def examine(
    ask: Ask, routes: tuple[Route, ...], ahead: dict[str, float], wall: Callable[[], float]
) -> Iterator[Finding]:
    """Ask the site's front page, and buy unsigned what does not exist. Notes its clock in ``ahead``."""
    try:
        told = ask("GET", "/", {}, b"")
    except StoreError as error:
        yield _STOREFRONT.fail("reachable", error.what, "start the shop, or mend stores.storefront")
        return
    if told.date is not None:
        ahead["storefront"] = told.date + 0.5 - wall()  # a Date has whole seconds
    if told.status >= _FAILS:
        yield _STOREFRONT.warn("reachable", f"its front page answers {told.status}", "see the shop's own log")
    else:
        yield _STOREFRONT.ok("reachable", f"its front page answers {told.status}")
    for route in routes:
        yield _unsigned(ask, route)


def _unsigned(ask: Ask, route: Route) -> Finding:
    check = f"unsigned-{route.name}"
    probe = purchase_of(route)
    if probe is None:
        return _STOREFRONT.skipped(check, "its item is fixed, so asking might buy it")
    try:
        told = _send(ask, probe)
    except StoreError as error:
        return _STOREFRONT.warn(check, error.what, "see the shop's own log")
    if told.status in _SAYS_YES:
        return _STOREFRONT.warn(
            check,
            f"{probe.method} {probe.target} without our signature is answered {told.status}: whoever finds a way past "
            "the gate may buy there",
            "let the shop ask for the signature (README, “Let the shop ask for the signature”)",
        )
    return _STOREFRONT.ok(check, f"a purchase without our signature is answered {told.status}")


def _send(ask: Ask, probe: Probe) -> Told:
    return ask(probe.method, probe.target, probe.headers, probe.body)
