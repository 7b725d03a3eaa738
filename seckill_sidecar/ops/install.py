"""``seckill-sidecar install``: lays out units, configuration, nginx files and user of a host, and says what it did.

What somebody has changed is never overwritten: the new text goes beside it, as ``….new``. To know a change from an
older version, the digests of what was laid out stay in ``etc/seckill/installed.sha256``, as sha256sum(1) reads them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from seckill_sidecar.errors import UsageError

_SHIPPED_PROGRAM = "/opt/seckill/bin/seckill-sidecar"
_CONFIG = "etc/seckill/seckill.yaml"
_CREDENTIALS = "etc/seckill/credentials"
_DIGESTS = "etc/seckill/installed.sha256"
_PLACES = {"sysusers.d": "etc/sysusers.d", "tmpfiles.d": "etc/tmpfiles.d"}
_UNITS = "etc/systemd/system"
_NGINX = "etc/nginx"

THEN = """\
Then, with /etc/seckill/seckill.yaml written for this site:
  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
  systemctl enable --now seckill.target seckill-sidecar.socket seckill-sidecar seckill-relay seckill-writer@1"""

OWN_ROUTES = "nginx's files are those of the site's own routes: seckill-sidecar nginx --output /etc/nginx"


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to lay out: its place below the root, and its text."""

    place: str
    text: str

    @property
    def digest(self) -> str:
        return _digest(self.text.encode())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    here = Path(sys.prefix) / "bin/seckill-sidecar"
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="lay it out below this folder (/)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--program", default=str(here), metavar="PATH", help=f"what the units start ({here})")


def run(arguments: argparse.Namespace) -> str:
    """What the command prints. Raises ``UsageError`` if a file can't be read or written."""
    layout = _Layout(arguments.root, arguments.dry_run)
    try:
        layout.make_folder(_CREDENTIALS, 0o700)
        for piece in pieces(arguments.program):
            layout.lay(piece)
        if layout.has_changed(_CONFIG):
            layout.said.append(OWN_ROUTES)
        else:
            for piece in nginx_pieces():
                layout.lay(piece)
        layout.keep_digests()
    except OSError as error:
        raise UsageError(f"--root: {error}") from error
    return "\n".join([*layout.said, "", THEN])


def pieces(program: str) -> Iterator[Piece]:
    """Everything that is laid out but nginx's part; the units start ``program``."""
    yield Piece(_CONFIG, _of("conf").joinpath("seckill.yaml").read_text(encoding="utf-8"))
    for entry in _sorted(_of("systemd")):
        if entry.name in _PLACES:
            for inner in _sorted(entry):
                yield Piece(f"{_PLACES[entry.name]}/{inner.name}", inner.read_text(encoding="utf-8"))
        elif entry.is_file() and not entry.name.endswith(".py"):
            text = entry.read_text(encoding="utf-8").replace(_SHIPPED_PROGRAM, program)
            yield Piece(f"{_UNITS}/{entry.name}", text)


def nginx_pieces() -> Iterator[Piece]:
    """What the shipped configuration asks of nginx."""
    for entry in _sorted(_of("nginx")):
        if entry.name.endswith(".conf"):
            yield Piece(f"{_NGINX}/{entry.name}", entry.read_text(encoding="utf-8"))


@dataclass
class _Layout:
    """A root folder, and what was done there."""

    root: Path
    dry_run: bool
    said: list[str] = field(default_factory=list)
    _laid: dict[str, str] = field(default_factory=dict)
    """Digests by place: of what was laid out earlier, and now."""

    def __post_init__(self) -> None:
        known = self.root / _DIGESTS
        lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
        self._laid = {place: digest for digest, _, place in (line.partition("  ") for line in lines)}

    def make_folder(self, place: str, mode: int) -> None:
        """Make it, for its owner only if ``mode`` says so."""
        folder = self.root / place
        if folder.is_dir():
            return
        self._say("make", folder)
        if not self.dry_run:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=mode)

    def lay(self, piece: Piece) -> None:
        """Write it, unless it is there; beside what is there, if somebody changed that."""
        there = self.root / piece.place
        present = _digest(there.read_bytes()) if there.exists() else None
        if present == piece.digest:
            self.said.append(f"{there} is as it should be")
        elif present is None or present == self._laid.get(piece.place):
            self._say("write" if present is None else "renew", there)
            self._write(there, piece.text)
        else:
            beside = there.with_name(f"{there.name}.new")
            self._say("write", beside, f", as {there.name} was changed here and stays")
            self._write(beside, piece.text)
            return
        self._laid[piece.place] = piece.digest

    def has_changed(self, place: str) -> bool:
        """Whether somebody has made the file another one than was laid out."""
        there = self.root / place
        return there.exists() and _digest(there.read_bytes()) != self._laid.get(place)

    def keep_digests(self) -> None:
        """For the next time."""
        lines = (f"{digest}  {place}\n" for place, digest in sorted(self._laid.items()))
        self._write(self.root / _DIGESTS, "".join(lines))

    def _write(self, file: Path, text: str) -> None:
        if self.dry_run:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: systemd and nginx may read it at any moment.
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(0o644)
        unfinished.replace(file)

    def _say(self, verb: str, what: Path, why: str = "") -> None:
        done = {"make": "made", "write": "wrote", "renew": "renewed"}[verb]
        self.said.append(f"{f'would {verb}' if self.dry_run else done} {what}{why}")


def _of(part: str) -> Traversable:
    return files(f"seckill_sidecar.{part}")


def _sorted(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda entry: entry.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
