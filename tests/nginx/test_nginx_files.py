"""The command, and the examples that are shipped: current, taken by nginx, and nothing for gixy to find."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from nginx_words import KEY, SITE
from stack import Nginx
from stack.nginx import JAVASCRIPT

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "contrib" / "nginx"
FOLDERS = [EXAMPLES, EXAMPLES / "php-shop", EXAMPLES / "njs"]
WRITTEN = ("seckill-upstream.conf", "seckill.conf")
SCRIPT = "seckill.js"

WHOLE = """
events {{ }}
http {{
    server_tokens off;
    include {folder}/seckill-upstream.conf;
    server {{
        server_name shop.example;
        include {folder}/seckill.conf;
        location / {{ proxy_pass http://127.0.0.1:8080; }}
    }}
}}
"""


def command(config: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seckill_sidecar", "nginx", "-c", str(config), *words],
        env={**os.environ, "KEY": KEY, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def written_for(folder: Path) -> list[str]:
    return [*WRITTEN, *([SCRIPT] if folder.name == "njs" else [])]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "seckill.yaml"
    file.write_text(yaml.safe_dump(SITE))
    return file


def test_the_examples_are_what_the_command_writes(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(EXAMPLES, tmp_path / "contrib" / "nginx")
    program = Path(sys.executable).with_name("seckill-sidecar")
    subprocess.run([tmp_path / "contrib/nginx/write.sh", program], check=True, capture_output=True, timeout=60)
    for folder in FOLDERS:
        for name in written_for(folder):
            there = tmp_path / (folder / name).relative_to(ROOT)
            assert (folder / name).read_text() == there.read_text(), "run contrib/nginx/write.sh"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nginx_takes_the_examples(folder: Path) -> None:
    scripted = SCRIPT in written_for(folder)
    http = f"{f'js_path {folder};' if scripted else ''} include {folder}/seckill-upstream.conf;"
    with Nginx(f"include {folder}/seckill.conf;", http, modules=[JAVASCRIPT] if scripted else []) as server:
        assert "warn" not in server.log_tail()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_gixy_finds_nothing_in_the_examples(folder: Path, tmp_path: Path) -> None:
    whole = tmp_path / "nginx.conf"
    whole.write_text(WHOLE.format(folder=folder))
    gixy = Path(sys.executable).with_name("gixy")
    # One advice is not taken: try_files looks for a file that never is, which is how a request that has waited for
    # its turn gets to another location. With open_file_cache, markers would be remembered after they are gone.
    words = [gixy, "--format", "json", "--skips", "try_files_is_evil_too", whole]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(done.stdout) == [], done.stderr


def test_both_parts_are_printed_or_one(config: Path) -> None:
    both, http, server = command(config), command(config, "--part", "http"), command(config, "--part", "server")
    assert (both.returncode, both.stderr) == (0, "")
    assert both.stdout.startswith(http.stdout.rstrip("\n"))
    assert "upstream seckill_sidecar" in http.stdout
    assert "location @seckill_gate" in server.stdout
    assert "upstream seckill_sidecar {" not in server.stdout


def test_both_parts_are_written_where_it_is_told(config: Path, tmp_path: Path) -> None:
    done = command(config, "--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.removeprefix(f"wrote {tmp_path}/") for line in done.stdout.splitlines()] == list(WRITTEN)
    assert (tmp_path / "seckill.conf").read_text() == command(config, "--part", "server").stdout[:-1]


def test_a_folder_that_is_not_there_is_said(config: Path, tmp_path: Path) -> None:
    done = command(config, "--output", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_without_routes_there_is_nothing_to_write(tmp_path: Path) -> None:
    file = tmp_path / "seckill.yaml"
    file.write_text("log: {level: info}\n")
    done = command(file)
    assert done.returncode == 2
    assert "no routes" in done.stderr


def test_what_reads_bodies_is_written_where_it_is_needed(tmp_path: Path) -> None:
    file = EXAMPLES / "njs" / "seckill.yaml"
    done = command(file, "--output", str(tmp_path), SECKILL_KEY=KEY)
    assert done.stdout.splitlines()[-1] == f"wrote {tmp_path}/{SCRIPT}"
    assert (tmp_path / SCRIPT).read_text() == (EXAMPLES / "njs" / SCRIPT).read_text()
    assert SCRIPT not in command(file, "--part", "server", "--output", str(tmp_path), SECKILL_KEY=KEY).stdout


def test_without_a_shield_nginx_asks_for_no_marker(config: Path) -> None:
    said = command(config).stdout
    assert "shield" not in said
    assert "-f " not in said
