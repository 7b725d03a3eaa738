"""seckill-sidecar: a gate beside a legacy shop for flash sales.

Nothing is sold twice, nothing accepted is lost, and a loser costs almost nothing. A Python site plugs it in
with ``from seckill_sidecar import SeckillMiddleware``.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["SeckillMiddleware", "__version__"]


def __getattr__(name: str) -> Any:
    # Late, so that an entry point can patch the standard library before anything of ours imports it.
    if name == "SeckillMiddleware":
        return importlib.import_module("seckill_sidecar.wiring").SeckillMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
