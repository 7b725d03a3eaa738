"""``check``, ``config``, ``migrate``, ``token``, and how the program is called at all."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
import yaml
from cli_words import COMMAND, SECRET, Home

from seckill_sidecar import __version__
from seckill_sidecar.wire.admissions import read_admission
from seckill_sidecar.wire.tokens import BUYER, Keyring, SigningKey

COMMANDS = ["check", "config", "migrate", "serve", "relay", "writer", "item", "token"]


# -- check ---------------------------------------------------------------------------------------------


def test_a_sound_configuration_is_said_to_be_sound(home: Home) -> None:
    done = home.configure().run("check")
    assert (done.code, done.out, done.err) == (0, f"{home.config} is sound\n", "")


def test_everything_wrong_is_said_at_once_with_its_place(home: Home) -> None:
    home.config.write_text("stores: {redis: ftp://x}\nlimits:\n  body: 3 parsecs\nroute: []\n")
    done = home.run("check")
    assert (done.code, done.out) == (1, "")
    places = re.findall(rf"^{re.escape(str(home.config))}:(\d+):\d+: (\S+): .+$", done.err, re.MULTILINE)
    assert places == [("1", "stores.redis"), ("3", "limits.body"), ("4", "route")]


def test_what_is_doubtful_is_said_and_does_not_fail(home: Home) -> None:
    done = home.configure(identity={"buyer": {"header": "X-User", "trust": "client"}}).run("check")
    assert done.code == 0
    assert "anyone" in done.err
    assert done.err.rstrip().endswith("(warning)")


@pytest.mark.parametrize("command", ["check", "config show", "migrate", "item list", "serve", "relay"])
def test_a_configuration_that_is_missing(home: Home, command: str) -> None:
    done = home.run(*command.split())
    assert done.code == (1 if command == "check" else 66)
    assert str(home.config) in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["config show", "migrate", "item list", "serve", "token --buyer a"])
def test_a_configuration_that_cannot_be_used(home: Home, command: str) -> None:
    home.configure(limits={"in_flight": 0})
    done = home.run(*command.split())
    assert (done.code, done.out) == (78, "")
    assert "limits.in_flight" in done.err


def test_a_secret_that_is_missing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure()
    monkeypatch.delenv("CLI_SECRET")
    done = home.run("check")
    assert done.code == 1
    assert "CLI_SECRET" in done.err


def test_the_configuration_may_be_named_by_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure()
    monkeypatch.setenv("SECKILL_CONFIG", str(home.config))
    assert home.run("check", config=False).code == 0


# -- config --------------------------------------------------------------------------------------------


def test_what_is_in_force_is_shown_without_secrets(home: Home) -> None:
    home.configure(stores={"database": "mysql://shop:hunter2@db/shop"})
    done = home.run("config", "show")
    shown = yaml.safe_load(done.out)
    assert done.code == 0
    assert SECRET not in done.out
    assert "hunter2" not in done.out
    assert shown["stores"]["database"] == "mysql://shop:***@db/shop"
    assert shown["timeouts"]["request"] == "3s"
    assert shown["routes"][0]["name"] == "buy"


def test_the_schema_needs_no_configuration(home: Home) -> None:
    done = home.run("config", "schema")
    assert done.code == 0
    assert {"stores", "routes", "items"} <= set(done.json["properties"])


def test_config_is_asked_for_something_that_there_is(home: Home) -> None:
    assert home.run("config").code == home.run("config", "nonsense").code == 2


# -- migrate -------------------------------------------------------------------------------------------


def test_tables_are_made_once(home: Home) -> None:
    home.configure()
    first, again = home.run("migrate"), home.run("migrate")
    assert (first.code, again.code) == (0, 0)
    assert "applied 0001" in first.out
    assert "nothing to do" in again.out


def test_a_database_that_is_not_there(home: Home) -> None:
    done = home.configure(stores={"database": "mysql://root@127.0.0.1:1/shop"}).run("migrate")
    assert (done.code, done.out) == (69, "")
    assert done.err.startswith("seckill-sidecar: database: ")
    assert len(done.err.splitlines()) == 1


# -- token ---------------------------------------------------------------------------------------------


def test_a_token_that_verifies(home: Home) -> None:
    done = home.configure().run("token", "--buyer", "Zoë", "--ttl", "2h")
    ring = Keyring([SigningKey("k", SECRET.encode())])
    assert ring.verify(BUYER, done.out.strip(), time.time() + 7000) == "Zoë"


@pytest.mark.parametrize(
    ("words", "code", "about"),
    [
        (["--buyer", "alice", "--ttl", "soon"], 2, "--ttl"),
        (["--buyer", ""], 2, "--buyer"),
        (["--buyer", "a\nb"], 2, "--buyer"),
        (["--buyer", "x" * 256], 2, "--buyer"),
        (["--buyer", "\udcff"], 2, "--buyer"),
        ([], 2, "--buyer"),
        (["--buyer", "alice", "--admission", "a kettle"], 2, "--admission"),
    ],
)
def test_a_token_that_nobody_could_use(home: Home, words: list[str], code: int, about: str) -> None:
    done = home.configure().run("token", *words)
    assert (done.code, done.out) == (code, "")
    assert about in done.err


def test_a_token_that_admits(home: Home) -> None:
    done = home.configure().run("token", "--buyer", "Zoë", "--admission", "kettle")
    ring = Keyring([SigningKey("k", SECRET.encode())])
    admission = read_admission(ring, done.out.strip(), time.time() + 3500)
    assert (admission.buyer, admission.item) == ("Zoë", "kettle")


def test_a_token_without_a_key_to_sign_it(home: Home) -> None:
    buyer = {"environ": "REMOTE_USER", "trust": "server"}
    done = home.configure(keys=[], identity={"buyer": buyer}).run("token", "--buyer", "alice")
    assert done.code == 2
    assert "keys" in done.err


# -- the program ---------------------------------------------------------------------------------------


def test_the_version_is_told(home: Home) -> None:
    done = home.run("--version", config=False)
    assert (done.code, done.out) == (0, f"seckill-sidecar {__version__}\n")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["item"], ["item", "nonsense"], ["check", "--nonsense"]])
def test_a_call_that_cannot_be_meant(home: Home, words: list[str]) -> None:
    done = home.run(*words, config=False)
    assert done.code == 2
    assert "usage: seckill-sidecar" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(home: Home, command: str) -> None:
    done = home.run(command, "--help", config=False)
    assert done.code == 0
    assert f"usage: seckill-sidecar {command}" in done.out


def test_the_module_is_the_command(home: Home) -> None:
    home.configure()
    command = [*COMMAND, "check", "-c", str(home.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{home.config} is sound\n", "")


def test_serve_needs_a_storefront(home: Home) -> None:
    done = home.configure().run("serve")
    assert done.code == 2
    assert "stores.storefront" in done.err


def test_without_a_broker_there_is_no_writer(home: Home) -> None:
    done = home.configure().run("writer")
    assert done.code == 2
    assert "seckill-sidecar relay" in done.err
