"""A Falcon application that reads the form and answers JSON: the least that any Python behind gunicorn costs."""

from __future__ import annotations

from typing import Any

import falcon


class Purchases:
    """Says yes to everybody."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, sku: str) -> None:
        form: Any = req.get_media()
        resp.status = falcon.HTTP_201
        resp.media = {"item": sku, "quantity": int(form.get("quantity", "1")), "buyer": req.get_header("X-User-Id")}


application = falcon.App()
application.add_route("/buy/{sku}", Purchases())
