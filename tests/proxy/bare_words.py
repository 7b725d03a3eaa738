"""An application that writes what it was asked for to ``wsgi.errors``, for a WSGI server to run in tests."""

from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.errors"].write(f"{environ['PATH_INFO']}\n")
    environ["wsgi.errors"].writelines([f"{environ['QUERY_STRING']}\n"])
    environ["wsgi.errors"].flush()
    start_response("204 No Content", [])
    return []
