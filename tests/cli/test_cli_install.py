"""``install``: what a host needs is laid out once, again after an upgrade, and never over what somebody has changed."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

from cli_words import Done, Home
from stack.base import program

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
