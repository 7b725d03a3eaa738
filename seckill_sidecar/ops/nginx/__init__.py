"""``seckill-sidecar nginx``: the nginx configuration that the YAML asks for, ready to be included."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from seckill_sidecar.errors import UsageError
from seckill_sidecar.ops.nginx.http_part import http_part
from seckill_sidecar.ops.nginx.server_part import server_part
from seckill_sidecar.settings import Settings

FILES = {"http": "seckill-upstream.conf", "server": "seckill.conf"}
"""The files that ``--output`` writes, by part."""

_HEADS = {
    "http": f"""\
# seckill-sidecar: where the sidecar runs, and what nginx knows of purchases. Written by `seckill-sidecar nginx`;
# when the YAML changes, write it again.
#
# Include it within http {{ }}, beside the server that includes {FILES["server"]}.

""",
    "server": f"""\
# seckill-sidecar: purchases go to the sidecar, everything else stays with the shop. Written by `seckill-sidecar nginx`;
# when the YAML changes, write it again.
#
# Include it within the shop's server {{ }}, before its own locations that are regular expressions (such as \\.php$),
# since the first of those that matches wins. It needs {FILES["http"]} within http {{ }}.

""",
}
_PARTS = {"http": http_part, "server": server_part}

_OUR_NAMES = re.compile(r"(?<![a-z0-9_])seckill_(?=[a-z])")
"""In variables, maps, zones, upstreams and named locations; cookies and headers stand behind a _."""
_SITE = re.compile(r"[a-z][a-z0-9_]{0,31}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--part", choices=FILES, help="print what goes within http { } or server { } only")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help=f"write {' and '.join(FILES.values())} there instead"
    )
    parser.add_argument(
        "--site", default="", metavar="NAME", help="one of several shops behind this nginx, with names of its own"
    )


def part(settings: Settings, name: str, site: str = "") -> str:
    """The text of one part, ``http`` or ``server``; with a ``site``, beside those of others in one nginx."""
    text = _HEADS[name] + _PARTS[name](settings)
    if not site:
        return text
    for file in FILES.values():
        text = text.replace(file, file_of(file, site))
    return _OUR_NAMES.sub(f"seckill_{site}_", text)


def file_of(file: str, site: str) -> str:
    """What a site's file is called."""
    return file.replace("seckill", f"seckill-{site}", 1) if site else file


def run(arguments: argparse.Namespace, settings: Settings) -> str:
    """What the command prints. Raises ``UsageError`` if there is nothing to route, or files can't be written."""
    if not settings.routes:
        raise UsageError("there are no routes in the configuration, so there is nothing to send to the sidecar")
    site = arguments.site
    if site and not _SITE.fullmatch(site):
        raise UsageError(f"--site {site!r}: write a small letter, then small letters, digits and _, 32 at most")
    names = [arguments.part] if arguments.part else list(FILES)
    if arguments.output is None:
        return "\n".join(part(settings, name, site) for name in names)
    chosen = {file_of(FILES[name], site): part(settings, name, site) for name in names}
    try:
        for file, text in chosen.items():
            (arguments.output / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--output: {error}") from error
    return "\n".join(f"wrote {arguments.output / file}" for file in chosen)
