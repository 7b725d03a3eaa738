"""``install``: what a host needs is laid out once, again after an upgrade, and never over what somebody has changed."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_words import Done, Home
from stack import Nginx
from stack.base import program

from seckill_sidecar.settings import load

UNIT = "etc/systemd/system/seckill-relay.service"
YAML = "etc/seckill/seckill.yaml"


def install(home: Home, *words: str) -> Done:
    done = home.run("install", "--root", str(root(home)), *words, config=False)
    assert done.code == 0, done.err
    return done


def root(home: Home) -> Path:
    return home.folder / "root"


def files(home: Home) -> set[str]:
    return {str(path.relative_to(root(home))) for path in root(home).rglob("*") if path.is_file()}


def test_everything_is_laid_out_and_told(home: Home) -> None:
    said = install(home).out
    laid = files(home)
    assert laid == {
        YAML,
        "etc/seckill/installed.sha256",
        "etc/nginx/seckill.conf",
        "etc/nginx/seckill-upstream.conf",
        "etc/sysusers.d/seckill.conf",
        "etc/tmpfiles.d/seckill.conf",
        *(
            f"etc/systemd/system/{name}"
            for name in (
                "seckill-relay.service",
                "seckill-sidecar.service",
                "seckill-sidecar.socket",
                "seckill-writer@.service",
                "seckill.target",
            )
        ),
    }
    assert all(f"wrote {root(home)}/{place}" in said for place in laid - {"etc/seckill/installed.sha256"})
    assert stat.S_IMODE((root(home) / "etc/seckill/credentials").stat().st_mode) == 0o700


def test_the_units_start_the_program_that_installs_them(home: Home) -> None:
    install(home, "--program", "/srv/venv/bin/seckill-sidecar")
    commands = re.findall(r"(?m)^ExecStart=(\S+)", (root(home) / UNIT).read_text())
    assert commands == ["/srv/venv/bin/seckill-sidecar"]


def test_a_dry_run_tells_the_same_and_does_nothing(home: Home) -> None:
    said = install(home, "--dry-run").out
    assert not root(home).exists()
    done = install(home).out
    assert said.replace("would write", "wrote").replace("would make", "made") == done


def test_a_second_time_there_is_nothing_to_do(home: Home) -> None:
    install(home)
    before = {path: path.stat().st_mtime_ns for path in root(home).rglob("*.service")}
    said = install(home).out
    assert "wrote" not in said
    assert said.count("is as it should be") == 10
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_somebody_has_changed_stays_and_the_new_text_goes_beside_it(home: Home) -> None:
    install(home)
    (root(home) / YAML).write_text("# of this site\n")
    said = install(home).out
    assert "seckill.yaml.new, as seckill.yaml was changed here and stays" in said
    assert (root(home) / YAML).read_text() == "# of this site\n"
    assert (root(home) / f"{YAML}.new").read_text().startswith("# seckill-sidecar: every setting")


def test_nginx_is_left_to_a_site_that_has_routes_of_its_own(home: Home) -> None:
    (root(home) / YAML).parent.mkdir(parents=True)
    (root(home) / YAML).write_text("# of this site\n")
    said = install(home).out
    assert "seckill-sidecar nginx --output" in said
    assert not (root(home) / "etc/nginx").exists()


def test_what_was_there_before_the_first_time_stays_too(home: Home) -> None:
    (root(home) / UNIT).parent.mkdir(parents=True)
    (root(home) / UNIT).write_text("# another's\n")
    install(home)
    assert (root(home) / UNIT).read_text() == "# another's\n"


def test_what_nobody_has_changed_is_renewed(home: Home) -> None:
    install(home, "--program", "/opt/old/bin/seckill-sidecar")
    said = install(home, "--program", "/opt/new/bin/seckill-sidecar").out
    assert f"renewed {root(home)}/{UNIT}" in said
    assert "/opt/new/bin" in (root(home) / UNIT).read_text()
    assert not list(root(home).rglob("*.new"))


def test_a_root_that_cannot_be_written_is_told_in_a_line(home: Home) -> None:
    root(home).write_text("a file")
    done = home.run("install", "--root", str(root(home)), config=False)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert str(root(home)) in done.err


def test_systemd_takes_the_user_and_the_folders(home: Home) -> None:
    """Into the root that was laid out, by systemd's own programs; nothing of this machine is touched."""
    install(home)
    (root(home) / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root(home) / "etc/group").write_text("root:x:0:\n")
    command = [program("systemd-sysusers"), f"--root={root(home)}", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "seckill" in done.stdout + done.stderr


# -- several shops on one machine ----------------------------------------------------------------------


SITES_UNITS = {
    f"etc/systemd/system/{name}"
    for name in (
        "seckill-relay@.service",
        "seckill-sidecar@.service",
        "seckill-sidecar@.socket",
        "seckill-writer-1@.service",
        "seckill-writer-2@.service",
        "seckill@.target",
    )
}


def test_a_site_gets_files_of_its_own_and_the_units_of_all_sites(home: Home) -> None:
    said = install(home, "--site", "red").out
    own = {"etc/seckill/red.yaml", "etc/seckill/red.env", "etc/tmpfiles.d/seckill-red.conf"}
    assert files(home) == own | SITES_UNITS | {"etc/sysusers.d/seckill.conf", "etc/seckill/installed.sha256"}
    assert "seckill-{sidecar,relay,writer-1}@red" in said
    modes = {
        name: stat.S_IMODE((root(home) / f"etc/seckill/red.{name}").stat().st_mode) for name in ("env", "credentials")
    }
    assert modes == {"env": 0o600, "credentials": 0o700}


def test_no_two_sites_share_a_name_a_socket_or_a_folder(home: Home) -> None:
    environ = dict.fromkeys(("SECKILL_KEY", "SECKILL_BROKER_PASSWORD", "SECKILL_DATABASE_PASSWORD"), "k" * 16)
    owned = []
    for site in ("red", "blue"):
        install(home, "--site", site)
        made = load(root(home) / f"etc/seckill/{site}.yaml", environ)
        broker = made.broker
        own = {made.serve.listen, made.shield.folder, made.metrics.folder, made.ledger.prefix, made.stores.database}
        owned.append(own | {broker.exchange, broker.queue, broker.parked})
        assert not any("seckill.sock" in value or value.startswith("seckill") for value in owned[-1] if value)
    assert not owned[0] & owned[1]
    assert made.keys[0].secret.get_secret_value() == "k" * 16


def test_a_site_stays_as_it_was_written_when_another_comes(home: Home) -> None:
    install(home, "--site", "red")
    (root(home) / "etc/seckill/red.yaml").write_text("# of this site\n")
    (root(home) / "etc/seckill/red.env").write_text("SECKILL_KEY=known\n")
    said = install(home, "--site", "blue").out
    assert not re.search(r"\bred\b", said)
    install(home, "--site", "red")
    assert (root(home) / "etc/seckill/red.yaml").read_text() == "# of this site\n"
    assert (root(home) / "etc/seckill/red.env").read_text() == "SECKILL_KEY=known\n"
    assert stat.S_IMODE((root(home) / "etc/seckill/red.env.new").stat().st_mode) == 0o600


def test_the_units_of_sites_are_renewed_with_the_others(home: Home) -> None:
    install(home, "--site", "red", "--writers", "3", "--program", "/opt/old/bin/seckill-sidecar")
    install(home, "--program", "/opt/new/bin/seckill-sidecar")
    units = sorted((root(home) / "etc/systemd/system").glob("*.service"))
    assert len(units) == 3 + 5
    assert all("/opt/new/bin" in unit.read_text() and "/opt/old/bin" not in unit.read_text() for unit in units)


def test_a_site_that_comes_later_takes_away_no_writer(home: Home) -> None:
    install(home, "--site", "red", "--writers", "3")
    said = install(home, "--site", "blue").out
    assert "seckill-writer-3@.service is as it should be" in said


@pytest.mark.parametrize(
    "name", ["", "seckill", "shield", "amq", "mysql", "Red", "red-shop", "../red", "red shop", "%i", "r" * 33]
)
def test_a_name_that_no_site_can_have(home: Home, name: str) -> None:
    done = home.run("install", "--root", str(root(home)), "--site", name, config=False)
    assert (done.code, root(home).exists()) == (2, False)
    assert "a site's name is" in done.err


@pytest.mark.parametrize("number", ["0", "65", "two", "-1", "٣"])
def test_a_number_of_writers_that_cannot_be(home: Home, number: str) -> None:
    done = home.run("install", "--site", "red", f"--writers={number}", config=False)
    assert (done.code, "1 to 64" in done.err) == (2, True)


def test_nginx_keeps_two_sites_apart(home: Home, nginx: Callable[..., Nginx]) -> None:
    """Each in a server of its own, in one nginx."""
    out = home.folder / "nginx"
    out.mkdir()
    for site in ("red", "blue"):
        listen = f"unix:{home.folder}/{site}.sock"
        pages = {"pace": "1000/s burst 20000", "address": "20/s", "connections": 5, "at_once": 64}
        shield = {"enabled": True, "folder": f"{home.folder}/{site}"}
        home.configure(
            serve={"listen": listen}, stores={"storefront": "http://127.0.0.1:1"}, nginx=pages, shield=shield
        )
        assert home.run("nginx", "--site", site, "--output", str(out)).code == 0
    assert {file.name for file in out.iterdir()} == {
        f"seckill-{site}{part}.conf" for site in ("red", "blue") for part in ("", "-upstream")
    }
    http = "".join(f"include {out}/seckill-{site}-upstream.conf;\n" for site in ("red", "blue"))
    other = f"server {{ listen unix:{home.folder}/nginx.sock; include {out}/seckill-blue.conf; }}\n"
    nginx(f"include {out}/seckill-red.conf;", http + other)
