"""What serves buyers in a benchmark: the sidecar, run as its owner runs it, and the applications beside it."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from stack import Server, guard

APPS = Path(__file__).with_name("apps")
WORKERS = 2
OUR_WORKER = "seckill_sidecar.plugs.worker.SidecarWorker"


class Web(Server):
    """A program that serves HTTP by gunicorn."""

    starts_within: ClassVar[float] = 90.0
    stops_within: ClassVar[float] = 45.0
    asked: ClassVar[str]
    """A path that the program answers, in whatever way, as soon as it is ready."""

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def workers(self) -> Sequence[int]:
        """The processes that serve."""
        return list(guard.descendants(self.pid))

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(*self.address, timeout=5.0)
        try:
            connection.request("GET", self.asked)
            return connection.getresponse().status > 0
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


class Sidecar(Web):
    """``seckill-sidecar serve`` with this configuration."""

    name = "serve"
    asked = "/seckill/orders/none"

    def __init__(self, config: Path) -> None:
        super().__init__()
        self.config = config

    def command(self) -> list[str]:
        return [sys.executable, "-m", "seckill_sidecar", "serve", "-c", str(self.config)]


class App(Web):
    """One of the applications in ``apps/``: ``App("bare:application")``, in gunicorn's worker or in ours."""

    name = "app"
    asked = "/none"

    def __init__(self, application: str, environ: Mapping[str, str] | None = None, worker: str = "gevent") -> None:
        super().__init__()
        self.application = application
        self.worker = worker
        self.environ = dict(environ or {})

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.environ}

    def command(self) -> list[str]:
        listen = f"{self.address[0]}:{self.address[1]}"
        options = ["--config", f"file:{APPS / 'gunicorn_conf.py'}", "--chdir", str(APPS), "--bind", listen]
        options += ["--worker-class", self.worker]
        return [sys.executable, "-m", "gunicorn", *options, self.application]
