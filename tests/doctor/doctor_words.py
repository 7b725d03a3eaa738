"""What the doctor's tests say: a site with these stores is examined, and this is found about it."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import yaml
from stack import Server
from stack.ports import HOST

from seckill_sidecar.cli import main
from seckill_sidecar.settings import Settings, loads

KEY = "0123456789abcdef0123456789abcdef"
WELL = {"ok", "skipped"}


@dataclass(frozen=True)
class Found:
    """What the doctor said."""

    code: int
    findings: list[dict[str, str]]

    def expect(self, level: str, subject: str, check: str, words: str = "") -> None:
        """One finding of this kind that says (or advises) this."""
        told = [one for one in self.findings if (one["subject"], one["check"]) == (subject, check)]
        assert any(one["level"] == level and words in f"{one['says']} → {one['remedy']}" for one in told), told
        assert all(one["remedy"] for one in self.findings if one["level"] not in WELL)

    def expect_nothing_to_mend(self, *subjects: str) -> None:
        """Not a warning, of these subjects or of all."""
        amiss = [one for one in self.findings if one["level"] not in WELL]
        assert not [one for one in amiss if not subjects or one["subject"] in subjects], amiss


class Program(Server):
    """``seckill-sidecar serve`` or ``writer``, as a process of its own."""

    name = "program"
    starts_within: ClassVar[float] = 40.0
    stops_within: ClassVar[float] = 40.0

    def __init__(self, command: str, config: Path, port: int = 0) -> None:
        """``port`` is where it listens, if it does."""
        super().__init__()
        self.port = port
        self._words = [command, "-c", str(config)]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", *self._words]

    def answers(self) -> bool:
        if self.port:
            socket.create_connection(self.address, timeout=5).close()
        return True


class Practice:
    """A site and its doctor. Stores that a test doesn't name are embedded ones, or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "seckill.yaml"

    def settings(self, stores: dict[str, str] | None = None, **sections: Any) -> Settings:
        """Write the configuration, and read it."""
        named = {
            "redis": "redis://127.0.0.1:1/0",
            "broker": "none",
            "database": f"sqlite:///{self.folder}/orders.db",
            **(stores or {}),
        }
        text = yaml.safe_dump(
            {
                "stores": named,
                "keys": [{"id": "k", "secret": KEY}],
                "identity": {"buyer": {"header": "X-User-Id", "trust": "proxy"}},
                "routes": [{"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}}],
                **sections,
            }
        )
        self.config.write_text(text)
        self.config.chmod(0o600)
        return loads(text, str(self.config), {})

    def migrate(self, **sections: Any) -> None:
        """Make the tables."""
        self.settings(**sections)
        with redirect_stdout(StringIO()):
            assert main(["migrate", "-c", str(self.config)]) == 0

    def examine(self, *words: str, **sections: Any) -> Found:
        """Run the command on a site with these sections."""
        self.settings(**sections)
        return self.look(*words)

    def look(self, *words: str) -> Found:
        """Run the command with the configuration as it is."""
        with redirect_stdout(StringIO()) as out:
            code = main(["doctor", "--json", "-c", str(self.config), *words])
        told = json.loads(out.getvalue())
        assert code == {"ok": 0, "skipped": 0, "warn": 3, "fail": 1}[told["worst"]]
        return Found(code, told["findings"])
