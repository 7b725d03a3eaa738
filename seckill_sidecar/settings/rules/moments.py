"""Durations and times that must stand in order."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules.rule import routes, rule
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.values import format_duration, format_moment


@rule()
def sales_open_before_they_close(settings: Settings) -> Iterator[Finding]:
    for i, item in enumerate(settings.items):
        if item.closes_at and item.closes_at <= item.opens_at:
            what = f"it closes at {format_moment(item.closes_at)} and opens no earlier; correct one of the two"
            yield Finding(("items", i, "closes_at"), what)


@rule("timeouts")
def one_call_fits_into_a_request(settings: Settings) -> Iterator[Finding]:
    timeouts = settings.timeouts
    for name in ("ledger", "broker", "connect"):
        if getattr(timeouts, name) > timeouts.request:
            mine, whole = format_duration(getattr(timeouts, name)), format_duration(timeouts.request)
            what = f"{mine} is longer than timeouts.request ({whole}), which bounds it; shorten it"
            yield Finding(("timeouts", name), what)


@rule("timeouts")
def holds_outlive_the_request(settings: Settings) -> Iterator[Finding]:
    holds = [((*path, "hold"), route.hold) for path, route in routes(settings) if route.hold is not None]
    holds += [(("items", i, "hold"), item.hold) for i, item in enumerate(settings.items)]
    for path, hold in holds:
        if hold <= settings.timeouts.request:
            what = (
                f"{format_duration(hold)} could be over before the buyer has an answer (timeouts.request); lengthen it"
            )
            yield Finding(path, what)
