"""Runs the parts and prints what they found; exits 1 only if a run went wrong, never for a figure."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from bench.figures import NotSound, print_figures, print_part
from bench.parts import BY_NAME, PARTS


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run what ``ONLY`` names (parts, by comma; all without it), in ``ROUNDS`` rounds (5)."""
    try:
        names, rounds = chosen(environ.get("ONLY", "")), _rounds(environ.get("ROUNDS") or "5")
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    failed = 0
    for name in names:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        try:
            told = {**PARTS, **BY_NAME}[name](rounds)
        except NotSound as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            failed = 1
            continue
        print_part(name, told)
        figures |= told.figures
    print_figures(figures)
    return failed


def chosen(only: str) -> Sequence[str]:
    """The parts of this list; all for an empty one. Raises ``ValueError`` for a name that is none."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [*PARTS, *BY_NAME]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no part {', '.join(unknown)}; there are: {' '.join(known)}")
    return names or list(PARTS)


def _rounds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise ValueError(f"ROUNDS={text} can't be used; give a whole number from 1")
    return int(text)
