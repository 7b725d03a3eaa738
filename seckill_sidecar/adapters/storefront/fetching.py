"""A small document of another site, by http:// or https://."""

from __future__ import annotations

from urllib.parse import urlsplit

from seckill_sidecar.adapters.storefront.probe import ask
from seckill_sidecar.errors import StoreDown


def fetch(store: str, url: str, seconds: float) -> bytes:
    """What stands at a URL, 1 MiB at most; raises ``StoreDown`` of ``store``. Each wait ends after ``seconds``."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    told = ask(store, f"{parts.scheme}://{parts.netloc}", "GET", target, {"Accept": "*/*"}, seconds=seconds)
    if told.status != 200:
        raise StoreDown(store, f"{url} answers {told.status}")
    return told.body
