"""A sidecar of two workers that counts, and what it tells Prometheus."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar

import yaml
from prometheus_client.parser import text_string_to_metric_families
from stack import Server
from stack.ports import HOST, free_port

from seckill_sidecar.settings import load
from seckill_sidecar.wiring import Site

TOKEN = "the operator's own token"
Samples = dict[tuple[str, tuple[str, ...]], float]


class Sidecar(Server):
    """``seckill-sidecar serve`` with the operator's address open. Nobody is behind it: its routes answer themselves."""

    name = "sidecar"
    starts_within: ClassVar[float] = 40.0
    stops_within: ClassVar[float] = 40.0

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self.operator_port = free_port()
        self.metrics = self.folder / "metrics"
        settings = {
            "stores": {
                "redis": redis_url,
                "database": f"sqlite:///{self.folder / 'orders.db'}",
                "storefront": "http://127.0.0.1:9",
            },
            "serve": {"listen": f"{HOST}:{self.port}", "workers": 2},
            "operator": {"listen": f"{HOST}:{self.operator_port}", "token": "${TOKEN}"},
            "metrics": {"folder": str(self.metrics)},
            "identity": {"buyer": {"header": "X-User", "trust": "client"}},
            "keys": [{"id": "1", "secret": "${SECRET}"}],
            "routes": [{"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}, "on_accept": "json"}],
        }
        self.config = self.folder / "seckill.yaml"
        self.config.write_text(yaml.safe_dump(settings))
        self.site = Site(load(self.config, self.environment()))
        self.site.orders.migrate()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TOKEN": TOKEN, "SECRET": "0123456789abcdef0123456789abcdef"}

    def command(self) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", "serve", "-c", str(self.config)]

    def answers(self) -> bool:
        return self.get("/healthz")[0] == 200

    def buy(self, sku: str, buyer: str) -> int:
        """One purchase on a connection of its own, so that any worker may get it; its status."""
        connection = HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("POST", f"/buy/{sku}", headers={"X-User": buyer})
            return connection.getresponse().status
        finally:
            connection.close()

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        """Ask the operator's address."""
        connection = HTTPConnection(HOST, self.operator_port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def samples(self) -> Samples:
        """What Prometheus would read now: by name and the values of its labels."""
        status, text = self.get("/metrics", TOKEN)
        assert status == 200, text
        return read(text)

    def workers(self) -> list[int]:
        """The processes of gunicorn's workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


def read(text: str) -> Samples:
    """Parse the exposition; raises ``ValueError`` if it is none."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
