"""What is installed holds what the program reads, whether as a wheel or in place (pip install --editable)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "seckill_sidecar",
    "lua",
    "conf",
    "contrib/pages",
    "systemd",
    "contrib/nginx",
)
DATA = [
    ("seckill_sidecar.lua", "lua", "*.lua"),
    ("seckill_sidecar.conf", "conf", "*.yaml"),
    ("seckill_sidecar.nginx", "contrib/nginx", "*.conf"),
    ("seckill_sidecar.nginx", "contrib/nginx", "*.js"),
    *(("seckill_sidecar.pages", "contrib/pages", kind) for kind in ("*.html", "*.js", "*.yaml")),
    ("seckill_sidecar.systemd", "systemd", "*.service"),
]

LIST_DATA = """
from importlib.resources import files
import sys
print(*sorted(entry.name for entry in files(sys.argv[1]).iterdir() if entry.name.endswith(sys.argv[2])))
"""


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(environment: Path, *what: str | Path) -> None:
    """Install into another environment with this one's pip and setuptools, so that nothing is downloaded."""
    quiet = ("--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-warn-script-location")
    alone = ("--no-deps", "--no-build-isolation", "--no-index", "--ignore-installed")
    run(sys.executable, "-m", "pip", "install", *quiet, *alone, "--prefix", environment, *what)


def files_of_the_package(root: Path) -> set[str]:
    files = (path for path in (root / "seckill_sidecar").rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in files if path.parent.name != "__pycache__"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a build reads, as building leaves its own folders beside it."""
    copy = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    return copy


@pytest.fixture(scope="module", params=["wheel", "editable"])
def environment(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the package in it, and nothing else."""
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder, with_pip=False, symlinks=True)
    pip_install(folder, *(["--editable"] if request.param == "editable" else []), source)
    return folder


@pytest.mark.parametrize(("package", "folder", "pattern"), DATA)
def test_data_files_are_found_where_the_program_looks(
    environment: Path, package: str, folder: str, pattern: str
) -> None:
    shipped = sorted(path.name for path in (ROOT / folder).glob(pattern))
    assert shipped
    assert run(environment / "bin/python", "-c", LIST_DATA, package, pattern[1:]).split() == shipped


def test_every_file_of_the_package_is_installed(environment: Path) -> None:
    where = "import os, seckill_sidecar; print(os.path.dirname(seckill_sidecar.__path__[0]))"
    installed = Path(run(environment / "bin/python", "-c", where).strip())
    missing = files_of_the_package(ROOT) - files_of_the_package(installed)
    assert not missing, "list their packages in setup.cfg, [options] packages (or package_data)"


def test_what_install_lays_out_is_installed(environment: Path) -> None:
    # What it needs of others is not in that environment.
    others = f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})"
    what = "from seckill_sidecar.ops.install import nginx_pieces, pieces, site_pieces, template_pieces"
    of_sites = "*site_pieces('red'), *template_pieces('', 1)"
    tell = f"print(*(piece.place for piece in [*pieces(''), *nginx_pieces(), {of_sites}]))"
    laid = run(environment / "bin/python", "-c", f"{others}; {what}; {tell}").split()
    assert {"etc/tmpfiles.d/seckill-red.conf", "etc/systemd/system/seckill-sidecar@.socket"} <= set(laid)
    assert {"etc/tmpfiles.d/seckill.conf", "etc/systemd/system/seckill.target", "etc/nginx/seckill.conf"} <= set(laid)


def test_the_command_is_installed(environment: Path) -> None:
    assert os.access(environment / "bin/seckill-sidecar", os.X_OK)
