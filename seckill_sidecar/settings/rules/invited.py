"""Lists of invited buyers."""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules.rule import rule
from seckill_sidecar.settings.schema import Settings


@rule()
def each_list_is_of_one_item(settings: Settings) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for i, item in enumerate(settings.items):
        if item.eligible is None:
            continue
        other = first.setdefault(item.eligible, item.sku)
        if other != item.sku:
            what = f"{item.eligible} is the list of {other}, too; write a file of its own for each"
            yield Finding(("items", i, "eligible"), what)
