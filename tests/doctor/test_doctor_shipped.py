"""The shipped configuration on a whole and healthy stack: there is nothing to mend."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from doctor_words import KEY, Practice, Program
from stack import Nginx, eventually
from stack.ports import HOST, free_port
from stack.scripted import answering, reply

from seckill_sidecar.cli import main
from seckill_sidecar.ops.nginx import part
from seckill_sidecar.settings import load

SHIPPED = (Path(__file__).parents[2] / "conf" / "seckill.yaml").read_text(encoding="utf-8")


@pytest.fixture
def shipped(tmp_path: Path) -> Callable[..., Path]:
    """The shipped file, with the addresses of this test's servers."""

    def write(**values: str) -> Path:
        text = SHIPPED
        for name, value in values.items():
            text, count = re.subn(rf"(?m)^  #?{name}: .*$", f"  {name}: {value}", text, count=1)
            assert count == 1, name
        (tmp_path / "key").write_text(KEY)
        (tmp_path / "key").chmod(0o600)
        config = tmp_path / "seckill.yaml"
        config.write_text(text.replace("file:/etc/seckill/key", f"file:{tmp_path}/key"))
        return config

    return write


def test_the_shipped_configuration_on_a_healthy_stack_is_well(
    shipped: Callable[..., Path],
    practice: Practice,
    redis_url: str,
    rabbit_url: str,
    mariadb_url: str,
    nginx: Callable[..., Nginx],
    tmp_path: Path,
) -> None:
    port = free_port()
    with answering(lambda request: reply(200 if request.method == "GET" else 403, b"")) as shop:
        at_shop = "http://{}:{}".format(*shop.address)
        stores = {"redis": redis_url, "broker": rabbit_url, "database": mariadb_url, "storefront": at_shop}
        practice.config = shipped(**stores, listen=f"{HOST}:{port}", folder=f"{tmp_path}/shield")
        assert main(["migrate", "-c", str(practice.config)]) == 0
        settings = load(practice.config, {})
        front = nginx(
            http=part(settings, "http"),
            server=part(settings, "server") + f"\nlocation / {{ proxy_pass {at_shop}; }}",
        )
        with Program("serve", practice.config, port), Program("writer", practice.config):
            look = lambda: practice.look("--through", f"{front.url}/")  # noqa: E731
            eventually(lambda: look().code == 0, 30, "the writer is connected")
            found = look()
    found.expect_nothing_to_mend()
    told = {f"{one['subject']} {one['check']}" for one in found.findings if one["level"] == "ok"}
    assert {"rabbitmq writers", "nginx shield-buy", "database write", "redis appendfsync", "clocks redis"} <= told
