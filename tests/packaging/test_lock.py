"""The hash-locked requirements are those of setup.cfg: run ``make lock`` when this fails."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "contrib/requirements.txt").read_text()
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) \\\n(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def locked() -> dict[str, str]:
    """The version of each distribution in the lock that has a hash."""
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(LOCK)}


def required() -> list[Requirement]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in setup["options"]["install_requires"].split("\n") if line]


@pytest.mark.parametrize("requirement", required(), ids=str)
def test_the_lock_has_what_setup_cfg_requires(requirement: Requirement) -> None:
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None
    assert requirement.specifier.contains(version)


def test_every_line_of_the_lock_is_a_pin_with_hashes_or_a_comment() -> None:
    rest = [line for line in PIN.sub("", LOCK).splitlines() if line and not line.lstrip().startswith("#")]
    assert rest == []


def test_the_lock_names_no_place_to_download_from() -> None:
    assert "://" not in LOCK
    assert "--index" not in LOCK
