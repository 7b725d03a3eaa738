"""One site in one process: all its parts, each made when it is first asked for."""

from __future__ import annotations

from seckill_sidecar.wiring.commands import Commands
from seckill_sidecar.wiring.plugs import Plugs


class Site(Plugs, Commands):
    """Stores, gate, plugs, workers and commands, as the settings say."""
