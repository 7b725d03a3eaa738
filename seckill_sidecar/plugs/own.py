"""The addresses of our own, a Falcon application: orders to ask for, admissions, and what nginx asks by itself."""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from seckill_sidecar.wire.problem import write_problem


def own_application(prefix: str, resources: Mapping[str, object]) -> falcon.App[falcon.Request, falcon.Response]:
    """The application that serves everything under ``prefix``; its errors are problem JSON (RFC 9457).

    ``resources`` are Falcon's, by their paths below the prefix.
    """
    application = falcon.App()
    for path, resource in resources.items():
        application.add_route(f"{prefix}{path}", resource)
    application.set_error_serializer(write_problem)
    return application
