"""The origin stage: a purchase that a page of another site made a browser send is refused.

Browsers say where a request comes from, in fields that no page can set. Who says nothing passes: that is a program,
which nobody can make send a buyer's cookies, or a browser so old that nothing is known.

    Sec-Fetch-Site    same-origin, none ──────────────► passes
                      anything else ─► Origin listed ─► passes, else 403
    (not sent)        Origin ────────► is the Host, or listed
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from seckill_sidecar.model import Verdict
from seckill_sidecar.settings.schema import ANY_ORIGIN, Route
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request

FOREIGN = "sent by a page of another site"
"""The reason that the log has."""
_OWN = frozenset(["same-origin", "none"])
_USUAL_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """Whose pages may send purchases: the site's own, and those that the configuration names."""

    def __init__(self, everywhere: Sequence[str], routes: Sequence[Route]) -> None:
        """``everywhere`` is what holds for a route that says nothing of its own."""
        named = {route.name: everywhere if route.origins is None else route.origins for route in routes}
        self._listed = {name: frozenset(map(str.lower, origins)) for name, origins in named.items()}

    def refuse_if_foreign(self, request: Request, route: Route) -> None:
        """Raise a ``Refusal`` (403) if a browser says that another site's page sent this."""
        environ = request.environ
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site in _OWN:
            return
        origin = environ.get("HTTP_ORIGIN")
        if origin is None and site is None:
            return
        listed = self._listed[route.name]
        if ANY_ORIGIN in listed or (origin is not None and origin.lower() in listed):
            return
        if site is None and origin is not None and _is_of(origin, environ.get("HTTP_HOST", "")):
            return
        detail = "a page of another site sent it: this try bought nothing"
        raise Refusal(Verdict.INVALID, detail, status=403, reason=FOREIGN, page="foreign")


@lru_cache(maxsize=1024)
def _is_of(origin: str, host: str) -> bool:
    """Whether an origin is this host's; its scheme is not known here, since TLS ends at nginx."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    usual = _USUAL_PORTS.get(parts.scheme)
    return usual is not None and bool(host) and _bare(parts.netloc, usual) == _bare(host, usual)


def _bare(host: str, usual_port: str) -> str:
    name = host.lower().removesuffix(usual_port)
    head, colon, port = name.rpartition(":")
    # nginx takes the dot of a fully qualified name away.
    return f"{head.rstrip('.')}:{port}" if colon and port.isdigit() else name.rstrip(".")
