"""nginx in front of a site, as ``seckill-sidecar nginx`` configures it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.programs import COMMAND
from stack import Nginx

from bench.stage import Site

CONNECTIONS = 16_384
"""A worker's; a buyer has one, and nginx another to the sidecar for as long as it asks there."""
_LOG = "answers.log"
_FORMAT = "log_format answers '$msec $request_time $status $upstream_response_time';"


def front(site: Site, server: str = "", logs: bool = False) -> Nginx:
    """nginx with a worker for each core and the configuration of the site's YAML; ``server`` stands beside that."""
    folder = site.sidecar.config.parent
    subprocess.run(
        [*COMMAND, "nginx", "-c", str(site.sidecar.config), "--output", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60.0,
    )
    return Nginx(
        server=f'include "{folder}/seckill.conf"; {f"access_log {_LOG} answers;" if logs else ""} {server}',
        http=f'include "{folder}/seckill-upstream.conf"; error_log stderr crit; {_FORMAT}',
        workers=os.cpu_count() or 1,
        connections=CONNECTIONS,
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, as nginx's log has it; times to the millisecond."""

    at: float
    """When it was sent, in Unix seconds."""
    seconds: float
    """From the request's first byte."""
    status: int
    by_nginx: bool
    """Whether nobody behind nginx was asked."""


def answered(nginx: Nginx, after: int) -> Iterator[Answered]:
    """What was answered since the log had so many bytes."""
    with Path(nginx.folder, _LOG).open("rb") as log:
        log.seek(after)
        return map(read_line, log.read().decode().splitlines())


def read_line(line: str) -> Answered:
    """One line of the log."""
    at, seconds, status, upstream = line.split(" ", 3)
    return Answered(float(at), float(seconds), int(status), upstream == "-")


def logged(nginx: Nginx) -> int:
    """The log's length in bytes."""
    return Path(nginx.folder, _LOG).stat().st_size
