"""Errors of our own Falcon applications as problem JSON (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon


class Problem(falcon.HTTPError):
    """An error whose answer has members of its own beside the usual ones."""

    def __init__(self, status: int, title: str, description: str, members: Mapping[str, Any]) -> None:
        super().__init__(status, title=title, description=description)
        self.members = members


def write_problem(_: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """A Falcon error serializer."""
    status = falcon.http_status_to_code(error.status)
    problem = {"type": "about:blank", "title": error.title, "status": status}
    if error.description:
        problem["detail"] = error.description
    if isinstance(error, Problem):
        problem |= error.members
    resp.content_type = "application/problem+json"
    resp.data = resp.options.media_handlers["application/json"].serialize(problem, "application/json")
