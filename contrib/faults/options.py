"""What the environment asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def number(environ: Mapping[str, str], name: str, usual: int) -> int:
    """A whole number from 1; raises ``ValueError`` for anything else."""
    text = environ.get(name) or str(usual)
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise ValueError(f"{name}={text} can't be used; give a whole number from 1")
    return int(text)


def record_folder(environ: Mapping[str, str]) -> Path:
    """Where histories go: ``RECORD``, or ``var/faults``; made if it isn't there."""
    folder = Path(environ.get("RECORD") or "var/faults")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
