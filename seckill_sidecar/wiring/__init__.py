"""Where the parts come together: adapters below, gate and plugs above, as the settings say.

``SeckillMiddleware(app, conf)`` and ``sidecar()`` are the two plugs; ``Site`` builds what they, the workers and
the commands share.

    Stores ─┬─► Buyers ─► Challenges ─► Gate ─┬─► Results ───┬─► Plugs ─┬─► Site
            │                                 └─► Admission ─┘          │
            └─► Workers ─► Commands ────────────────────────────────────┘       each knows the parts of those before it
"""

from seckill_sidecar.wiring.entry import (
    DEFAULT_CONFIG,
    SeckillMiddleware,
    config_path,
    listening,
    set_up_logging,
    sidecar,
)
from seckill_sidecar.wiring.site import Site

__all__ = ["DEFAULT_CONFIG", "SeckillMiddleware", "Site", "config_path", "listening", "set_up_logging", "sidecar"]
