"""Where the sidecar listens."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import rule
from seckill_sidecar.settings.schema import Settings

_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,4})", re.ASCII)
_SOCKET = re.compile(r"unix:/[^\x00-\x20]+")


@rule()
def the_sidecar_listens_somewhere(settings: Settings) -> Iterator[Finding]:
    listen = settings.serve.listen
    address = _ADDRESS.fullmatch(listen)
    if not _SOCKET.fullmatch(listen) and not (address and int(address[1]) < 1 << 16):
        what = (
            f"{quoted(listen)} is no address; write for example 127.0.0.1:8600, [::1]:8600, or unix:/run/seckill.sock"
        )
        yield Finding(("serve", "listen"), what)
