"""Routes that are not, or not for all, the gate's to decide."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules.rule import caution, routes
from seckill_sidecar.settings.schema import Settings

_BOUNDS = ("address", "connections", "at_once", "pace")


@caution()
def a_share_that_changes_nothing(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if route.mode == "off" and route.percent < 100:
            yield Finding((*path, "percent"), "means nothing with mode: off, which passes all buyers on; remove it")
        elif route.percent == 0:
            yield Finding((*path, "percent"), "passes all buyers on; write mode: off, which says so")


@caution("nginx", "fallbacks", "stores")
def nginx_refuses_whom_the_site_should_serve(settings: Settings) -> Iterator[Finding]:
    refusing = ", ".join(_refusing(settings))
    for path, route in routes(settings):
        if refusing and settings.stores.storefront is not None and not route.stance.is_whole:
            where = "percent" if route.mode == "enforce" else "mode"
            what = f"leaves buyers to the site, but nginx itself may still turn them away, by {refusing}"
            yield Finding((*path, where), what)


def _refusing(settings: Settings) -> list[str]:
    """The settings by which nginx refuses purchases, of whichever route."""
    found = [f"nginx.{name}" for name in _BOUNDS if getattr(settings.nginx, name) is not None]
    return found + (["fallbacks.on_sidecar_down: busy"] if settings.fallbacks.on_sidecar_down == "busy" else [])
