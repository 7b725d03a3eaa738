"""``seckill-sidecar install``: lays out units, configuration, nginx files and user of a host, and says what it did.

With ``--site`` the same for one of several shops on this machine, see ``sites.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from seckill_sidecar.errors import UsageError
from seckill_sidecar.ops.install import sites
from seckill_sidecar.ops.install.layout import Layout, Piece

_SHIPPED_PROGRAM = "/opt/seckill/bin/seckill-sidecar"
_CONFIG = "etc/seckill/seckill.yaml"
_PLACES = {"sysusers.d": "etc/sysusers.d", "tmpfiles.d": "etc/tmpfiles.d"}
_UNITS = "etc/systemd/system"
_NGINX = "etc/nginx"
_OF_SITES = "sites"

THEN = """\
Then, with /etc/seckill/seckill.yaml written for this site:
  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
  systemctl enable --now seckill.target seckill-sidecar.socket seckill-sidecar seckill-relay seckill-writer@1"""

THEN_OF_A_SITE = """\
Then, with /etc/seckill/%i.yaml and /etc/seckill/%i.env written for this site:
  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
  systemctl enable --now seckill@%i.target seckill-sidecar@%i.socket seckill-{sidecar,relay,writer-1}@%i
  (set -a; . /etc/seckill/%i.env; seckill-sidecar nginx --site %i -c /etc/seckill/%i.yaml --output /etc/nginx)"""

OWN_ROUTES = "nginx's files are those of the site's own routes: seckill-sidecar nginx --output /etc/nginx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    here = Path(sys.prefix) / "bin/seckill-sidecar"
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="lay it out below this folder (/)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--program", default=str(here), metavar="PATH", help=f"what the units start ({here})")
    parser.add_argument("--site", metavar="NAME", help="one of several shops on this machine, with files of its own")
    parser.add_argument("--writers", type=_writers, default=2, metavar="N", help="how many writers a site can have (2)")


def _writers(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= sites.MOST_WRITERS:
        raise argparse.ArgumentTypeError(f"has to be 1 to {sites.MOST_WRITERS}")
    return int(text)


def run(arguments: argparse.Namespace) -> str:
    """What the command prints. Raises ``UsageError`` if a file can't be read or written."""
    try:
        layout = Layout(arguments.root, arguments.dry_run)
        then = _lay_site(layout, arguments) if arguments.site is not None else _lay_shop(layout, arguments)
        layout.keep_digests()
    except OSError as error:
        raise UsageError(f"--root: {error}") from error
    return "\n".join([*layout.said, "", then])


def _lay_shop(layout: Layout, arguments: argparse.Namespace) -> str:
    layout.make_folder("etc/seckill/credentials", 0o700)
    for piece in pieces(arguments.program):
        layout.lay(piece)
    if writers := _writers_of_sites(layout):
        for piece in template_pieces(arguments.program, writers):
            layout.lay(piece)
    if layout.has_changed(_CONFIG):
        layout.said.append(OWN_ROUTES)
    else:
        for piece in nginx_pieces():
            layout.lay(piece)
    return THEN


def _lay_site(layout: Layout, arguments: argparse.Namespace) -> str:
    site = arguments.site
    sites.refuse_unfit(site)
    layout.make_folder(f"etc/seckill/{site}.credentials", 0o700)
    writers = max(arguments.writers, _writers_of_sites(layout))
    for piece in (*site_pieces(site), *template_pieces(arguments.program, writers)):
        layout.lay(piece)
    return sites.named(THEN_OF_A_SITE, site)


def _writers_of_sites(layout: Layout) -> int:
    """How many writers' templates were laid out earlier: those of all sites stay."""
    numbered = sites.template_names("seckill-writer@.service", sites.MOST_WRITERS)
    return sum(f"{_UNITS}/{name}" in layout.laid for name in numbered)


def pieces(program: str) -> Iterator[Piece]:
    """Everything of a single shop that is laid out but nginx's part; the units start ``program``."""
    yield Piece(_CONFIG, _text(_of("conf"), "seckill.yaml"))
    for folder, place in _PLACES.items():
        for inner in _sorted(_of("systemd").joinpath(folder)):
            yield Piece(f"{place}/{inner.name}", inner.read_text(encoding="utf-8"))
    for unit in _units():
        yield Piece(f"{_UNITS}/{unit.name}", _starting(program, unit))


def site_pieces(site: str) -> Iterator[Piece]:
    """What is one site's own."""
    yield Piece(f"etc/seckill/{site}.yaml", sites.configuration(_text(_of("conf"), "seckill.yaml"), site))
    yield Piece(f"etc/seckill/{site}.env", sites.named(sites.ENVIRONMENT, site), 0o600)
    of_sites = _of("systemd").joinpath(_OF_SITES)
    yield Piece(f"etc/tmpfiles.d/seckill-{site}.conf", sites.named(_text(of_sites, "tmpfiles.conf"), site))
    yield Piece("etc/sysusers.d/seckill.conf", _text(_of("systemd").joinpath("sysusers.d"), "seckill.conf"))


def template_pieces(program: str, writers: int) -> Iterator[Piece]:
    """The units that all sites share, with so many writers."""
    for unit in _units():
        if not unit.name.endswith(".socket"):
            text = sites.template(_starting(program, unit))
            for name in sites.template_names(unit.name, writers):
                yield Piece(f"{_UNITS}/{name}", text)
    socket = "seckill-sidecar@.socket"
    yield Piece(f"{_UNITS}/{socket}", _text(_of("systemd").joinpath(_OF_SITES), socket))


def nginx_pieces() -> Iterator[Piece]:
    """What the shipped configuration asks of nginx."""
    for entry in _sorted(_of("nginx")):
        if entry.name.endswith(".conf"):
            yield Piece(f"{_NGINX}/{entry.name}", entry.read_text(encoding="utf-8"))


def _units() -> list[Traversable]:
    """A single shop's."""
    kinds = (".service", ".socket", ".target")
    return [entry for entry in _sorted(_of("systemd")) if entry.name.endswith(kinds)]


def _starting(program: str, unit: Traversable) -> str:
    return unit.read_text(encoding="utf-8").replace(_SHIPPED_PROGRAM, program)


def _of(part: str) -> Traversable:
    return files(f"seckill_sidecar.{part}")


def _text(folder: Traversable, name: str) -> str:
    return folder.joinpath(name).read_text(encoding="utf-8")


def _sorted(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda entry: entry.name)
