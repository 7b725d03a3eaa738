"""What the README and the sysadmin's part of it say is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from seckill_sidecar import errors
from seckill_sidecar.cli import parser
from seckill_sidecar.gate.reply import VERDICTS
from seckill_sidecar.settings import loads

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "contrib/docs/operations.md")
README, OPERATIONS = (page.read_text(encoding="utf-8") for page in PAGES)
BOTH = README + OPERATIONS
COMMANDS = re.findall(
    r"(?m)^.*?seckill-sidecar "
    r"((?:check|config|migrate|serve|relay|writer|item|route|audit|doctor|nginx|token) .*?)(?: & .*|\))?$",
    BOTH,
)


def test_the_table_of_verdicts_has_every_verdict_with_its_status() -> None:
    rows = dict(re.findall(r"(?m)^\| `([a-z_]+)` \| (\d+) \|", README))
    assert rows == {verdict.value: str(status) for verdict, (status, _) in VERDICTS.items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_the_program_knows(command: str) -> None:
    assert parser().parse_args(shlex.split(command)).command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_it_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_heading_it_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link, heading in links if heading not in headings(page.parent / link if link else page)] == []


def headings(page: Path) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_yaml_it_shows_is_sound(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef")
    (tmp_path / "key").chmod(0o600)
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown
    text = shown[1].replace("/etc/seckill/key", str(tmp_path / "key"))
    settings = loads(text, "README.md", {"SECKILL_BROKER_PASSWORD": "broker", "SECKILL_DATABASE_PASSWORD": "database"})
    assert settings.routes[0].name == "buy"


def test_the_watched_route_it_shows_is_sound() -> None:
    shown = re.search(r"```yaml\n(settles:.*?)```", OPERATIONS, re.DOTALL)
    assert shown
    assert loads(shown[1], "operations.md", {}).settles[0].to == "paid"


def test_the_table_of_exit_codes_has_every_code_and_says_which_are_tried_again() -> None:
    rows = dict(re.findall(r"(?m)^\| (\d+) \| .* \| (no|yes|) *\|$", OPERATIONS))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SeckillError)]
    a_full_disk = 74
    assert rows.keys() == {str(code) for code in {*(kind.exit_code for kind in kinds), a_full_disk} - {1}}
    unit = (ROOT / "systemd/seckill-relay.service").read_text(encoding="utf-8")
    (lasting,) = re.findall(r"(?m)^RestartPreventExitStatus=(.*)$", unit)
    assert {code for code, again in rows.items() if again == "no"} == set(lasting.split())
