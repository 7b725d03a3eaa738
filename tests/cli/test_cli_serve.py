"""``serve`` that can't begin says why in one line and what to do, and its exit code tells which kind of thing it is."""

from __future__ import annotations

import socket
from pathlib import Path

from cli_words import Home, expect_one_line, serve
from stack.ports import HOST


def test_a_port_that_is_taken(home: Home, redis_url: str) -> None:
    with socket.create_server((HOST, 0)) as other:
        listen = f"{HOST}:{other.getsockname()[1]}"
        expect_one_line(serve(home, redis_url, serve={"listen": listen}), 71, listen, "another process", "ss -ltnp")


def test_an_address_that_this_host_does_not_have(home: Home, redis_url: str) -> None:
    done = serve(home, redis_url, serve={"listen": "192.0.2.1:8600"})
    expect_one_line(done, 71, "192.0.2.1:8600", "no such address")


def test_an_operators_port_that_is_taken(home: Home, redis_url: str) -> None:
    with socket.create_server((HOST, 0)) as other:
        listen = f"{HOST}:{other.getsockname()[1]}"
        operator = {"listen": listen, "token": "${CLI_SECRET}"}
        expect_one_line(serve(home, redis_url, operator=operator), 71, listen, "another process")


def test_a_socket_whose_folder_is_missing(home: Home, redis_url: str) -> None:
    done = serve(home, redis_url, serve={"listen": f"unix:{home.folder}/missing/sidecar.sock"})
    expect_one_line(done, 71, f"no folder {home.folder}/missing", "RuntimeDirectory")


def test_a_socket_in_the_place_of_a_file(home: Home, redis_url: str) -> None:
    (home.folder / "file").touch()
    done = serve(home, redis_url, serve={"listen": f"unix:{home.folder}/file"})
    expect_one_line(done, 71, "something else", "move it away")


def test_a_folder_of_figures_that_cannot_be_used(home: Home, redis_url: str) -> None:
    (home.folder / "file").touch()
    listen = f"unix:{home.folder}/sidecar.sock"
    done = serve(home, redis_url, serve={"listen": listen}, metrics={"folder": str(home.folder / "file")})
    expect_one_line(done, 73, "metrics.folder", "can't be used")


def test_a_credential_that_cannot_be_read(home: Home, redis_url: str, tmp_path: Path) -> None:
    done = serve(home, redis_url, keys=[{"id": "k", "secret": f"file:{tmp_path}/credentials/seckill_key"}])
    expect_one_line(done, 66, "seckill.yaml:", "keys[0].secret", "can't be read")
