"""The addresses of our own, a Falcon application: orders, admissions, scripts, and what nginx asks by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import falcon

ErrorWriter = Callable[[falcon.Request, falcon.Response, falcon.HTTPError], None]


def own_application(
    prefix: str, resources: Mapping[str, object], errors: ErrorWriter
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application that serves everything under ``prefix``; ``errors`` writes what it raises.

    ``resources`` are Falcon's, by their paths below the prefix.
    """
    application = falcon.App()
    for path, resource in resources.items():
        application.add_route(f"{prefix}{path}", resource)
    application.set_error_serializer(errors)
    return application
