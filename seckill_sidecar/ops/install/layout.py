"""Files are laid out below a root once, again after an upgrade, and never over what somebody has changed.

The new text goes beside that, as ``….new``. To know a change from an older version, the digests of what was laid out
stay in ``etc/seckill/installed.sha256``, as sha256sum(1) reads them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

DIGESTS = "etc/seckill/installed.sha256"


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to lay out: its place below the root, its text, and who may read it."""

    place: str
    text: str
    mode: int = 0o644

    @property
    def digest(self) -> str:
        return _digest(self.text.encode())


@dataclass
class Layout:
    """A root folder, and what was done there."""

    root: Path
    dry_run: bool
    said: list[str] = field(default_factory=list)
    laid: dict[str, str] = field(default_factory=dict)
    """Digests by place: of what was laid out earlier, and now."""

    def __post_init__(self) -> None:
        known = self.root / DIGESTS
        lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
        self.laid = {place: digest for digest, _, place in (line.partition("  ") for line in lines)}

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
        elif present is None or present == self.laid.get(piece.place):
            self._say("write" if present is None else "renew", there)
            self._write(there, piece.text, piece.mode)
        else:
            beside = there.with_name(f"{there.name}.new")
            self._say("write", beside, f", as {there.name} was changed here and stays")
            self._write(beside, piece.text, piece.mode)
            return
        self.laid[piece.place] = piece.digest

    def has_changed(self, place: str) -> bool:
        """Whether somebody has made the file another one than was laid out."""
        there = self.root / place
        return there.exists() and _digest(there.read_bytes()) != self.laid.get(place)

    def keep_digests(self) -> None:
        """For the next time."""
        lines = (f"{digest}  {place}\n" for place, digest in sorted(self.laid.items()))
        self._write(self.root / DIGESTS, "".join(lines), 0o644)

    def _write(self, file: Path, text: str, mode: int) -> None:
        if self.dry_run:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: systemd and nginx may read it at any moment.
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(mode)
        unfinished.replace(file)

    def _say(self, verb: str, what: Path, why: str = "") -> None:
        done = {"make": "made", "write": "wrote", "renew": "renewed"}[verb]
        self.said.append(f"{f'would {verb}' if self.dry_run else done} {what}{why}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
