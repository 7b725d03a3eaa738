"""``GET {prefix}seckill.js`` and ``challenges.js``: scripts that a shop's page includes with one tag."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files

import falcon

_BRIEFLY = "public, max-age=3600, stale-while-revalidate=86400"
_FOR_GOOD = "public, max-age=31536000, immutable"


class ScriptResource:
    """One script, plain and compressed, made once. ``?v=`` with its version may be kept for good."""

    def __init__(self, name: str) -> None:
        self._plain = (files("seckill_sidecar.pages") / name).read_bytes()
        self._packed = gzip.compress(self._plain, 9, mtime=0)
        self.version = hashlib.sha256(self._plain).hexdigest()[:16]

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        packed = "gzip" in (req.get_header("Accept-Encoding") or "")
        resp.set_header("Cache-Control", _FOR_GOOD if req.get_param("v") == self.version else _BRIEFLY)
        resp.set_header("Vary", "Accept-Encoding")
        resp.set_header("X-Content-Type-Options", "nosniff")
        # The same tag for both: weak, since their bytes differ.
        resp.set_header("ETag", f'W/"{self.version}"')
        if any(str(tag) in (self.version, "*") for tag in req.if_none_match or ()):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = "text/javascript; charset=utf-8"
        if packed:
            resp.set_header("Content-Encoding", "gzip")
        resp.data = self._packed if packed else self._plain

    on_head = on_get  # the server leaves the body away
