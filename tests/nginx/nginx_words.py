"""Words for tests of the nginx configuration: a site's nginx, before a sidecar and a shop that do as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import yaml
from demo.line import Line, Reply
from stack import Nginx
from stack.nginx import JAVASCRIPT
from stack.scripted import Answering, Scripted, answering, reply

from seckill_sidecar.adapters.markers import ALL_ITEMS, Markers
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.ops.nginx import file_of, of_site, part
from seckill_sidecar.ops.nginx.body import SCRIPT, script
from seckill_sidecar.settings import Settings, loads

SIDECAR, SHOP = b"sidecar", b"shop"
KEY = "0123456789abcdef0123456789abcdef"
BUY: dict[str, Any] = {"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}}
SITE: dict[str, Any] = {
    "keys": [{"id": "a", "secret": "${KEY}"}],
    "identity": {"buyer": {"header": "X-User-Id", "trust": "proxy"}},
    "routes": [BUY],
}


def settings_of(**sections: Any) -> Settings:
    """The settings of a site, with these sections of its YAML changed."""
    return loads(yaml.safe_dump({**SITE, **sections}), "site.yaml", {"KEY": KEY})


class Front:
    """A running nginx, and what stands behind it."""

    def __init__(self, nginx: Nginx, sidecar: Scripted, shop: Scripted, markers: Markers) -> None:
        self.nginx, self.sidecar, self.shop, self.markers = nginx, sidecar, shop, markers

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        with closing(Line(self.nginx.address, timeout=20)) as line:
            return line.ask(method, path, headers, body)

    def buy(self, path: str = "/buy/kettle", **headers: str) -> Reply:
        """A purchase, with these headers (``_`` for -)."""
        return self.ask("POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, b"quantity=1")

    def mark(self, *folders: str, name: str = "kettle") -> None:
        """Put markers into these folders, and take away all others of this name."""
        self.markers.mark(name, frozenset(folders), self.markers.marked().get(name, frozenset()))

    def mark_all(self, *folders: str) -> None:
        self.mark(*folders, name=ALL_ITEMS)


@contextmanager
def site(
    folder: Path,
    sidecar: Answering = lambda _: reply(200, SIDECAR),
    shop: Answering = lambda _: reply(200, SHOP),
    called: str = "",
    **sections: Any,
) -> Iterator[Front]:
    """nginx with what ``seckill-sidecar nginx`` writes for this site, which answers like this behind it.

    ``called`` is its name among several.
    """
    with ExitStack() as opened:
        behind = opened.enter_context(answering(sidecar))
        legacy = opened.enter_context(answering(shop))
        at_sidecar, at_shop = ("{}:{}".format(*scripted.address) for scripted in (behind, legacy))
        yaml_of = {"stores": {"storefront": f"http://{at_shop}"}, "serve": {}, "shield": {}} | sections
        yaml_of["serve"] = {"listen": at_sidecar} | yaml_of["serve"]
        yaml_of["shield"] = {"enabled": True, "folder": str(folder / "shield")} | yaml_of["shield"]
        settings = settings_of(**yaml_of)
        for name in ("http", "server"):
            (folder / f"{name}.conf").write_text(part(settings, name, called))
        markers = Markers(folder / "shield", SystemClock())
        assert markers.take()
        opened.callback(markers.release)
        (folder / file_of(SCRIPT, called)).write_text(of_site(script(), called))
        server = f'include "{folder}/server.conf"; location / {{ proxy_pass http://{at_shop}; }}'
        script_path = f'js_path "{folder}";' if settings.nginx.body else ""
        http = f'{script_path} include "{folder}/http.conf";'
        modules = [JAVASCRIPT] if settings.nginx.body else []
        nginx = opened.enter_context(Nginx(server=server, http=http, modules=modules))
        yield Front(nginx, behind, legacy, markers)
