"""A reverse proxy and nothing else, for a WSGI server to run in tests."""

import os

from seckill_sidecar.adapters.storefront import ReverseProxy
from seckill_sidecar.settings.schema import StorefrontSettings, Timeouts

application = ReverseProxy(
    os.environ["STOREFRONT"],
    StorefrontSettings(connections=int(os.environ.get("CONNECTIONS", "64"))),
    Timeouts.model_validate({"storefront": os.environ.get("PATIENCE", "5s"), "connect": "500ms"}),
)
